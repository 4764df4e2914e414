"""The tables, and how a row is told to the clients."""
from __future__ import annotations

from . import db, socketio


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    nickname = db.Column(db.String(32), unique=True, nullable=False)
    token = db.Column(db.String(64), unique=True)
    online = db.Column(db.Boolean, default=False)

    def to_dict(self):
        return {"id": self.id, "nickname": self.nickname, "online": self.online}


class Message(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    source = db.Column(db.String, nullable=False)
    html = db.Column(db.String)
    user_id = db.Column(db.Integer, db.ForeignKey(User.id), nullable=False)
    user = db.relationship(User)

    def to_dict(self):
        return {"id": self.id, "source": self.source, "html": self.html, "user": self.user.nickname}


def push(row):
    """Tells all clients that a row is new or has changed."""
    socketio.emit("updated_model", {"class": type(row).__name__, "model": row.to_dict()})
