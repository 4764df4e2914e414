"""The pages: a user is made, and gets a token."""
from __future__ import annotations

from flask import Blueprint, jsonify, request

from . import db
from .models import User, push

api = Blueprint("api", __name__)


@api.route("/users", methods=["POST"])
def new_user():
    nickname = request.get_json()["nickname"]
    user = User(nickname=nickname, token=f"token of {nickname}")
    db.session.add(user)
    db.session.commit()
    push(user)
    return jsonify(user.to_dict() | {"token": user.token}), 201


@api.route("/users")
def users():
    return jsonify({user.nickname: user.online for user in User.query.order_by(User.id)})
