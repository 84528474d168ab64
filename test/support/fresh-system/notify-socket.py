# The other end of a unit's NOTIFY_SOCKET for the systemctl beside this file: keeps READY and the last STATUS in files.
#
#   notify-socket.py SOCKET FILES    writes FILES.ready and FILES.text
import os
import socket
import sys

path, files = sys.argv[1:3]
if os.path.exists(path):
    os.unlink(path)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(path)
os.chmod(path, 0o666)
while True:
    for line in listener.recv(4096).decode(errors="replace").splitlines():
        name, _, value = line.partition("=")
        if name == "READY":
            open(files + ".ready", "w").close()
        elif name == "STATUS":
            with open(files + ".draft", "w") as draft:
                draft.write(value + "\n")
            os.rename(files + ".draft", files + ".text")
