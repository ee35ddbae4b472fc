use serde_json::{Value, json};

use crate::world::World;
use crate::world::state::User;

/// `UserBasic`.
pub(in crate::http::rest) fn brief(world: &World, user: &User) -> Value {
    let url = &world.settings().external_url;
    json!({
        "id": user.id,
        "username": user.username,
        "public_email": null,
        "name": user.name,
        "state": if user.blocked { "blocked" } else { "active" },
        "locked": false,
        "avatar_url": null,
        "web_url": format!("{url}/{}", user.username),
    })
}

/// `UserPublic`, as `GET /user` answers.
pub(in crate::http::rest) fn full(world: &World, user: &User) -> Value {
    let mut value = brief(world, user);
    if let Value::Object(members) = &mut value {
        members.insert("bot".to_owned(), Value::Bool(false));
        members.insert("is_admin".to_owned(), Value::Bool(user.admin));
        members.insert(
            "email".to_owned(),
            Value::String(format!("{}@example.com", user.username)),
        );
    }
    value
}
