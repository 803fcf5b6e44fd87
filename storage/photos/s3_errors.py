"""What went wrong at an S3 endpoint, in the words of whoever has to mend it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from storage.errors import PhotosUnavailable, StorageError, StorageFull

# <Code>NoSuchBucket</Code> of an answer; (code: AccessDenied) of one key of a bulk removal.
_CODE = re.compile(r"<Code>(\w+)</Code>|\(code: (\w+)\)")
_STATUS = re.compile(r"status code: (\d{3})\b")
_NO_ROOM = frozenset({"QuotaExceeded", "XMinioStorageFull", "StorageFull"})  # Ceph, MinIO
_DENIED = frozenset({401, 403})
_NO_ROLE = _DENIED | {404}
_REGION = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "IncorrectEndpoint"})
_KEYS = "STORAGE_PHOTOS_ACCESS_KEY and STORAGE_PHOTOS_SECRET_KEY (or AWS_ACCESS_KEY_ID and so on)"
# Where machines of a cloud ask for the key of their role.
_ROLES = "//169.254."
_UNTRUSTED = re.compile(r"InvalidCertificate\(\s*(\w+)")
_UNREACHABLE = re.compile(r'ConnectError\(.*?(?:message|error): "([^"]+)"', re.DOTALL)
_LONGEST = 300


class PhotosRefused(PhotosUnavailable):
    """S3 answered and said no. It will go on saying so until somebody changes something."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What messages call the place where photos are."""

    name: str
    prefix: str
    endpoint: str
    named_by: str = "STORAGE_PHOTOS_URL"
    """Where a user wrote its name."""
    rights: tuple[str, ...] = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket")
    """What the key must be allowed there."""

    def __str__(self) -> str:
        return "/".join(filter(None, (f"s3://{self.name}", self.prefix)))


def is_no_such_object(error: FileNotFoundError) -> bool:
    """Whether the bucket is there and only this object is not."""
    return code_of(error) != "NoSuchBucket"


def code_of(error: Exception) -> str:
    """The code in S3's answer, such as `NoSuchKey`; empty if there was no answer."""
    found = _CODE.search(str(error))
    return (found[1] or found[2]) if found else ""


def translated(error: Exception, bucket: Bucket, doing: str) -> StorageError:
    """What of storage.errors it is. `doing`: what the call was to do, such as "write to"."""
    if _ROLES in str(error):
        message = f"there is no key: set {_KEYS}; this machine has no role that gives one"
        return (
            PhotosRefused(message) if _status_of(error) in _NO_ROLE else PhotosUnavailable(message)
        )
    code = code_of(error)
    if code in _NO_ROOM:
        return StorageFull(f"there is no room in {bucket} ({code})")
    if refusal := _refusal(error, code, bucket, doing):
        return PhotosRefused(refusal)
    if code:
        return PhotosUnavailable(f"{bucket.endpoint} answered {code}")
    if found := _UNTRUSTED.search(str(error)):
        return PhotosRefused(
            f"the certificate of {bucket.endpoint} is not trusted ({found[1]}): if it is of an "
            "authority of your own, set SSL_CERT_FILE to that one's certificate"
        )
    if found := _UNREACHABLE.search(str(error)):
        return PhotosUnavailable(f"{bucket.endpoint} cannot be reached: {found[1]}")
    return PhotosUnavailable(one_line(error))


def too_slow(bucket: Bucket, seconds: float, *, has_key: bool) -> PhotosUnavailable:
    """No answer came in time."""
    message = f"{bucket.endpoint} did not answer within {seconds:g} s"
    if not has_key:  # then the SDK asks the cloud's own address, which nobody has elsewhere
        message += f"; no key is set: outside a cloud's own machines set {_KEYS}"
    return PhotosUnavailable(message)


def _refusal(error: Exception, code: str, bucket: Bucket, doing: str) -> str:
    at = bucket.endpoint
    if code == "NoSuchBucket":
        return f"there is no bucket {bucket.name} at {at}: make it, or correct {bucket.named_by}"
    if code == "InvalidAccessKeyId":
        return f"the access key is not known at {at}: correct {_KEYS}"
    if code == "SignatureDoesNotMatch":
        return f"the secret key is not that of the access key, says {at}: correct {_KEYS}"
    if code == "RequestTimeTooSkewed":
        return f"the clock of this machine and that of {at} differ: set it right"
    if code in _REGION or "incorrectly configured region" in str(error):
        return f"the bucket {bucket.name} is in another region: correct STORAGE_PHOTOS_REGION"
    if code == "AccessDenied" or _status_of(error) in _DENIED:
        return (
            f"the key may not {doing} {bucket} ({code or 'no reason given'}): allow it "
            f"{', '.join(bucket.rights[:-1])} and {bucket.rights[-1]}"
        )
    return ""


def _status_of(error: Exception) -> int:
    found = _STATUS.search(str(error))
    return int(found[1]) if found else 0


def one_line(error: Exception) -> str:
    """What obstore says of it, in short."""
    # What follows the first line is the error once more, as Rust prints it; the XML of an answer
    # says nothing that its code does not.
    first = str(error).partition("\n")[0].partition("<")[0].strip(" :")
    return first[:_LONGEST] or type(error).__name__
