"""The server of vantage6, to which nodes connect that do the work. Asks of the server: a JWT in the headers of the
handshake that `verify_jwt_in_request` finds in an event; attributes set on `session` itself, and rows of the database
kept there; a class namespace with `socketio` as a class attribute; acks; a client that is refused by `disconnect()`
in a connect handler; what comes with it being told to a room as its rooms are left."""
from __future__ import annotations

from flask import Flask, jsonify, request, session
from flask_jwt_extended import JWTManager, create_access_token, get_jwt, get_jwt_identity, verify_jwt_in_request
from flask_socketio import ConnectionRefusedError, Namespace, SocketIO, emit, join_room, leave_room
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
jwt = JWTManager()
log = []


class Node(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String, unique=True)
    status = db.Column(db.String, default="offline")
    collaboration = db.Column(db.Integer)


class Tasks(Namespace):
    socketio = None

    def on_connect(self):
        try:
            verify_jwt_in_request()
        except Exception as error:  # noqa: BLE001  (each library of tokens has its own)
            log.append(f"refused: {type(error).__name__}")
            raise ConnectionRefusedError("no valid token", {"status": 401})
        session.type = get_jwt()["client_type"]
        session.auth_id = int(get_jwt_identity())
        session.node = db.session.get(Node, session.auth_id)
        session.node.status = "online"
        db.session.commit()
        db.session.refresh(session.node)
        db.session.expunge(session.node)
        session.name = session.node.name
        session.rooms = []
        self.join(f"collaboration_{session.node.collaboration}")
        self.join(f"node_{session.auth_id}")
        self.socketio.emit("node-status", {"name": session.name, "online": True}, namespace=self.namespace,
                           to=f"collaboration_{session.node.collaboration}", skip_sid=request.sid)

    def join(self, room):
        join_room(room)
        session.rooms.append(room)

    def on_who_am_i(self):
        return {"type": session.type, "id": session.auth_id, "name": session.node.name, "rooms": session.rooms}

    def on_task_status(self, data):
        emit("status_update", {"name": session.name, **data}, to=session.rooms[0], include_self=False)
        return True, {"received": data["id"]}

    def on_error(self, message):
        log.append(f"{session.name}: {message}")

    def on_disconnect(self):
        node = db.session.get(Node, session.auth_id)
        node.status = "offline"
        db.session.commit()
        for room in session.rooms:
            leave_room(room)
        emit("node-status", {"name": session.name, "online": False}, to=session.rooms[0])
        session.rooms.clear()


def create_app(database):
    app = Flask(__name__)
    app.config.update(SECRET_KEY="secret!", JWT_SECRET_KEY="another secret, of thirty-two bytes",
                      SQLALCHEMY_DATABASE_URI=database)
    db.init_app(app)
    jwt.init_app(app)
    socketio = SocketIO(app, ping_timeout=60, cors_allowed_origins="*")
    Tasks.socketio = socketio
    socketio.on_namespace(Tasks("/tasks"))
    with app.app_context():
        db.create_all()

    @app.route("/token/node/<name>/<int:collaboration>", methods=["POST"])
    def token(name, collaboration):
        node = Node(name=name, collaboration=collaboration)
        db.session.add(node)
        db.session.commit()
        return create_access_token(str(node.id), additional_claims={"client_type": "node"})

    @app.route("/node")
    def nodes():
        return jsonify({node.name: node.status for node in db.session.scalars(db.select(Node).order_by(Node.id))})

    @app.route("/task/<int:node>", methods=["POST"])
    def task(node):
        answer = socketio.call("new_task", 7, namespace="/tasks", to=sid_of(socketio, f"node_{node}"), timeout=10)
        return jsonify(answer)

    return app, socketio


def sid_of(socketio, room):
    (sid, _), = socketio.server.manager.get_participants("/tasks", room)
    return sid
