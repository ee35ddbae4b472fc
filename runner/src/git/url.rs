//! The few things that scripts need to know of a repository URL (runner.md 7.3 steps 5 and 6).

/// A URL taken apart: `scheme://user@host/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteUrl {
    /// `http`, `https` or `ssh`.
    pub scheme: String,
    /// `user` or `user:password`; empty without.
    pub user_info: String,
    /// Host, with its port if it has one.
    pub host: String,
    /// From the first `/` on; empty without.
    pub path: String,
}

/// A URL without user and password, for logs and pages; as it is if it has no scheme.
pub fn without_credentials(url: &str) -> String {
    RemoteUrl::parse(url).map_or_else(|| url.to_owned(), |url| url.without_user())
}

impl RemoteUrl {
    /// Takes `url` apart; `None` if it has no scheme.
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        Some(RemoteUrl {
            scheme: scheme.to_owned(),
            user_info: user_info.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Whether the job token can be used.
    pub fn is_http(&self) -> bool {
        matches!(self.scheme.as_str(), "http" | "https")
    }

    /// `scheme://host`.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.host)
    }

    /// Without user and password.
    pub fn without_user(&self) -> String {
        format!("{}{}", self.origin(), self.path)
    }

    /// With the job token in place of user and password.
    pub fn with_token(&self, token: &str) -> String {
        format!(
            "{}://gitlab-ci-token:{token}@{}{}",
            self.scheme, self.host, self.path
        )
    }

    /// As it was.
    pub fn full(&self) -> String {
        if self.user_info.is_empty() {
            return self.without_user();
        }
        format!(
            "{}://{}@{}{}",
            self.scheme, self.user_info, self.host, self.path
        )
    }

    /// Host without port.
    pub fn host_name(&self) -> &str {
        match self.host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => &self.host,
        }
    }

    /// `host` without a trailing slash of the path, for the base of a server.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        while self.path.ends_with('/') {
            self.path.pop();
        }
        self
    }
}

/// Where the sources come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// What is stored in the repository: never with credentials (RUN-GIT-06).
    pub stored: String,
    /// With credentials, for `insteadOf`; empty if none are needed.
    pub with_credentials: String,
}

impl Remote {
    /// The remote of a job: `clone_url` + project path + `.git` if `clone_url` is set, else `repo_url`
    /// (RUN-GIT-13).
    pub fn new(repo_url: &str, clone_url: &str, project_path: &str, token: &str) -> Self {
        if let Some(mut base) = RemoteUrl::parse(clone_url).map(RemoteUrl::trimmed) {
            base.path = format!("{}/{project_path}.git", base.path);
            if base.is_http() {
                return Remote {
                    stored: base.without_user(),
                    with_credentials: base.with_token(token),
                };
            }
            if base.scheme == "ssh" {
                "git".clone_into(&mut base.user_info);
            }
            return Remote {
                stored: base.full(),
                with_credentials: String::new(),
            };
        }
        match RemoteUrl::parse(repo_url) {
            Some(url) if url.is_http() => Remote {
                stored: url.without_user(),
                with_credentials: if url.user_info.is_empty() {
                    url.with_token(token)
                } else {
                    url.full()
                },
            },
            _ => Remote {
                stored: repo_url.to_owned(),
                with_credentials: String::new(),
            },
        }
    }
}

/// `text` with every character that means something in a regular expression escaped.
pub(super) fn regexp_quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves RUN-GIT-06, RUN-GIT-13.
    #[test]
    fn remotes() {
        let repo = "http://gitlab-ci-token:tok@gitlab.example.com/group/demo.git";
        let plain = Remote::new(repo, "", "group/demo", "tok");
        assert_eq!(plain.stored, "http://gitlab.example.com/group/demo.git");
        assert_eq!(plain.with_credentials, repo);
        let clone = Remote::new(repo, "https://mirror:8443/root/", "group/demo", "tok");
        assert_eq!(clone.stored, "https://mirror:8443/root/group/demo.git");
        assert_eq!(
            clone.with_credentials,
            "https://gitlab-ci-token:tok@mirror:8443/root/group/demo.git"
        );
        let ssh = Remote::new(repo, "ssh://mirror", "group/demo", "tok");
        assert_eq!(ssh.stored, "ssh://git@mirror/group/demo.git");
        assert_eq!(ssh.with_credentials, "");
        let no_scheme = Remote::new(repo, "mirror", "group/demo", "tok");
        assert_eq!(no_scheme, plain);
    }

    #[test]
    fn quoting() {
        assert_eq!(
            regexp_quote("http://gitlab.example.com/group/demo.git"),
            r"http://gitlab\.example\.com/group/demo\.git"
        );
    }
}
