"""A whole base in a folder, in a form that no engine owns: JSON lines, .npy, and photos as files.

manifest.json                       written last: without it there is no backup
parts/<id>/records/faces-000000.jsonl
parts/<id>/vectors/<space>/000000.npy and 000000.jsonl
photos/ab/cd/<revision>             kept from one backup to the next
backup.lock
"""
