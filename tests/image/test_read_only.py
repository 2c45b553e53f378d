"""On a root that can only be read, as a user who may do nothing."""

from pathlib import Path

from testsupport.image.built import Image

_TRY = """
import json, os
with open("/proc/self/status") as lines:
    status = dict(line.split(":", 1) for line in lines)
def writable(folder):
    try:
        os.close(os.open(os.path.join(folder, "written"), os.O_CREAT | os.O_WRONLY))
    except OSError:
        return False
    return True
folders = [folder for folder, _, _ in os.walk("/") if not folder.startswith("/proc/")]
print(json.dumps({
    "user": [os.getuid(), os.getgid(), os.getgroups()],
    "privileges": [int(status["CapEff"], 16), int(status["CapPrm"], 16), int(status["NoNewPrivs"])],
    "tried": len(folders),
    "written": [folder for folder in folders if writable(folder)],
}))
"""


def test_nothing_can_be_written(image: Image, tmp_path: Path) -> None:
    """In none of the folders can a file be made: the tests of the controller in it run where nothing can be kept."""
    told = image.python(tmp_path, _TRY)
    assert told["user"] == [65532, 65532, []]
    assert told["privileges"] == [0, 0, 1]
    assert told["tried"] > 100
    assert told["written"] == []
