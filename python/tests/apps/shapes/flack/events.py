"""The events: each proves who it is from by a token, and puts the user into `g`."""
from __future__ import annotations

import html

from flask import current_app, g, session

from . import db, socketio
from .models import Message, User, push

teardowns = []


def note_teardown(error):
    teardowns.append(type(error).__name__ if error else None)


def verify(token, remember=False):
    g.user = User.query.filter_by(token=token).first() if token else None
    if g.user is not None and remember:
        session["nickname"] = g.user.nickname


@socketio.on("ping_user")
def ping_user(token):
    verify(token, remember=True)
    if g.user is None:
        return False
    if not g.user.online:
        g.user.online = True
        db.session.commit()
        push(g.user)
    return True


@socketio.on("post_message")
def post_message(data, token):
    verify(token)
    if g.user is None:
        return False
    app = current_app._get_current_object()
    socketio.start_background_task(store_message, app, g.user.id, data["source"])
    return True


def store_message(app, user_id, source):
    """What the app's queue of tasks did: stores, shows it at once, and again when it has been rendered."""
    with app.app_context():
        message = Message(user_id=user_id, source=source)
        db.session.add(message)
        db.session.commit()
        push(message)
        message.html = f"<p>{html.escape(source)}</p>"
        db.session.commit()
        push(message)


@socketio.on("is g empty")
def is_g_empty():
    return "user" not in g


@socketio.on("break the database")
def break_the_database():
    db.session.add(User(nickname=None))
    db.session.commit()


@socketio.on("disconnect")
def gone():
    user = User.query.filter_by(nickname=session.get("nickname")).first()
    if user is not None:
        user.online = False
        db.session.commit()
        push(user)
