"""The five events on python-socketio under uvicorn. `python server.py PORT`"""

import sys

import socketio
import uvicorn

sio = socketio.AsyncServer(async_mode="asgi")


@sio.event
async def echo(sid, x):
    await sio.emit("echo", x, to=sid)


@sio.event
async def ack(sid, x):
    return x


@sio.event
async def bcast(sid, x):
    await sio.emit("bcast", x)


@sio.event
async def join(sid, room):
    await sio.enter_room(sid, room)
    return True


@sio.event
async def room(sid, name, x):
    await sio.emit("room", x, to=name)


uvicorn.run(socketio.ASGIApp(sio), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
