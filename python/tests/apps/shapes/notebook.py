"""The notebook of pinterest/querybook. Asks of the server: a decorator of the app's own over `@socketio.on` that looks
at the session and opens a database session for the handler, rooms that are numbers, `rooms(sid, namespace)` in the
disconnect handler, payloads that are tuples, namespaces that belong together; and says what becomes of the
`broadcast=True` that older releases took in `socketio.emit`."""
from __future__ import annotations

import functools

from flask import Flask, request, session
from flask_socketio import SocketIO, disconnect, emit, join_room, leave_room, rooms

DOCS, QUERIES = "/data_doc", "/query_execution"

app = Flask(__name__)
app.config["SECRET_KEY"] = "secret!"
socketio = SocketIO(app, cors_allowed_origins="*", manage_session=True)

database_sessions = {"open": 0, "most": 0}
stored = {}
left = []


def with_database(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        database_sessions["open"] += 1
        database_sessions["most"] = max(database_sessions["most"], database_sessions["open"])
        try:
            return function(*args, **kwargs)
        finally:
            database_sessions["open"] -= 1

    return wrapper


def register(event, namespace, logged_in=True):
    """As the app's own decorator: what the handler gets is decided here, and so is who may call it."""
    def decorate(function):
        @socketio.on(event, namespace=namespace)
        @functools.wraps(function)
        @with_database
        def handler(*args, **kwargs):
            if logged_in and "user" not in session:
                disconnect()
                return None
            return function(*args, **kwargs)

        return handler

    return decorate


@app.route("/login/<user>")
def login(user):
    session["user"] = user
    return user


@app.route("/outdated")
def outdated():
    socketio.emit("x", (1, 2), namespace=DOCS, broadcast=True)
    return "it was taken"


@register("connect", DOCS, logged_in=False)
def connect(auth=None):
    if "user" not in session:
        raise ConnectionAbortedError("no user")


@socketio.on_error(DOCS)
def failed(error):
    return False if isinstance(error, ConnectionAbortedError) else {"error": str(error)}


@register("subscribe", DOCS)
def subscribe(doc_id):
    join_room(doc_id)
    emit("data_doc_user", ("add", request.sid, session["user"]), to=doc_id)
    return [room for room in rooms() if room != request.sid]


@register("unsubscribe", DOCS)
def unsubscribe(doc_id):
    leave_room(doc_id)


@register("move_cell", DOCS)
def move_cell(doc_id, source, target):
    stored.setdefault(doc_id, []).append((source, target))
    emit("data_doc_moved", (request.sid, source, target), room=doc_id, include_self=False)
    return source, target


@register("fail", DOCS)
def fail(doc_id):
    raise KeyError(doc_id)


@register("disconnect", DOCS, logged_in=False)
def gone(reason=None):
    docs = [room for room in rooms(request.sid, DOCS) if room != request.sid]
    left.append((session.get("user"), docs))
    for doc_id in docs:
        emit("data_doc_user", ("remove", request.sid), to=doc_id)


@register("run", QUERIES)
def run_query(query_id, statements):
    join_room(query_id)
    socketio.start_background_task(execute, query_id, statements)


def execute(query_id, statements):
    for done in range(1, statements + 1):
        socketio.emit("statement_update", (query_id, {"done": done, "of": statements}), namespace=QUERIES, to=query_id)
