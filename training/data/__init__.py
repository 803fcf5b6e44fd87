"""From archives and folders of images to arrays with the teacher's labels."""
