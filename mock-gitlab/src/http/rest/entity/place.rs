//! Projects and groups.

use serde_json::{Value, json};

use super::time;
use crate::world::World;
use crate::world::state::{AutoCancel, Group, Project};

/// `Group`.
pub(in crate::http::rest) fn group(world: &World, group: &Group) -> Value {
    let url = &world.settings().external_url;
    let above = group.traversal_ids.iter().rev().nth(1);
    json!({
        "id": group.id,
        "web_url": format!("{url}/groups/{}", group.full_path),
        "name": group.path,
        "path": group.path,
        "description": "",
        "visibility": "private",
        "full_name": group.full_path.replace('/', " / "),
        "full_path": group.full_path,
        "created_at": time(Some(group.created_at)),
        "parent_id": above,
        "avatar_url": null,
        "organization_id": 1,
        "shared_runners_setting": "enabled",
        "runners_token": &*group.registration_token,
    })
}

/// `Project`, with what an administrator sees.
pub(in crate::http::rest) fn project(world: &World, project: &Project) -> Value {
    let url = &world.settings().external_url;
    let path = &project.full_path;
    let api = format!("{url}/api/v4/projects/{}", project.id);
    let host = url.split("://").nth(1).unwrap_or(url);
    let group = project.group.and_then(|id| world.group(id));
    let namespace = match group {
        Some(group) => json!({
            "id": group.id, "name": group.path, "path": group.path, "kind": "group",
            "full_path": group.full_path, "parent_id": group.traversal_ids.iter().rev().nth(1),
            "avatar_url": null, "web_url": format!("{url}/groups/{}", group.full_path),
        }),
        None => json!({
            "id": 1, "name": "Administrator", "path": "root", "kind": "user",
            "full_path": "root", "parent_id": null, "avatar_url": null,
            "web_url": format!("{url}/root"),
        }),
    };
    json!({
        "id": project.id,
        "description": null,
        "name": project.path,
        "name_with_namespace": path.replace('/', " / "),
        "path": project.path,
        "path_with_namespace": path,
        "created_at": time(Some(project.created_at)),
        "default_branch": project.default_branch,
        "tag_list": [],
        "topics": [],
        "ssh_url_to_repo": format!("git@{host}:{path}.git"),
        "http_url_to_repo": format!("{url}/{path}.git"),
        "web_url": format!("{url}/{path}"),
        "readme_url": null,
        "forks_count": 0,
        "avatar_url": null,
        "star_count": 0,
        "last_activity_at": time(Some(project.created_at)),
        "visibility": "private",
        "namespace": namespace,
        "_links": {
            "self": api,
            "issues": format!("{api}/issues"),
            "merge_requests": format!("{api}/merge_requests"),
            "repo_branches": format!("{api}/repository/branches"),
        },
        "archived": false,
        "creator_id": 1,
        "lfs_enabled": true,
        "jobs_enabled": project.builds,
        "builds_access_level": if project.builds { "enabled" } else { "disabled" },
        "shared_runners_enabled": project.instance_runners,
        "group_runners_enabled": project.group_runners,
        "build_timeout": project.timeout,
        "ci_default_git_depth": project.git_depth,
        "build_git_strategy": if project.allow_git_fetch { "fetch" } else { "clone" },
        "auto_cancel_pending_pipelines":
            if matches!(project.auto_cancel, None | Some(AutoCancel::None)) { "disabled" } else { "enabled" },
        "ci_job_token_scope_enabled": false,
        "runners_token": &*project.registration_token,
    })
}
