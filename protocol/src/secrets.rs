//! Secrets of a job payload, one resolver each (wire.md 3.8, "Secret shapes").

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::object;

object! {
    /// One secret: exactly one resolver, and how it is handed to the script.
    Secret {
        /// HashiCorp Vault.
        vault: Vault,
        /// Google Cloud Secret Manager.
        gcp_secret_manager: GcpSecretManager,
        /// Azure Key Vault.
        azure_key_vault: AzureKeyVault,
        /// AWS Secrets Manager.
        aws_secrets_manager: AwsSecretsManager,
        /// GitLab's own.
        gitlab_secrets_manager: GitlabSecretsManager,
        /// As a file variable; absent means yes.
        file: bool,
    }
}

object! {
    /// HashiCorp Vault.
    Vault {
        /// Where it is and how to log in.
        server: VaultServer,
        /// Secret engine.
        engine: VaultEngine,
        /// Path within the engine.
        path: String,
        /// Field of the secret.
        field: String,
    }
}

object! {
    /// Where a Vault is.
    VaultServer {
        /// Base URL.
        url: String,
        /// Namespace, often null.
        namespace: String,
        /// How to log in.
        auth: VaultAuth,
    }
}

object! {
    /// How to log in to a Vault.
    VaultAuth {
        /// Method, such as `jwt`.
        name: String,
        /// Mount path.
        path: String,
        /// Method data; `jwt` is usually a variable reference.
        data: BTreeMap<String, Value>,
    }
}

object! {
    /// A secret engine of a Vault.
    VaultEngine {
        /// Such as `kv-v2`.
        name: String,
        /// Mount path.
        path: String,
    }
}

object! {
    /// Google Cloud Secret Manager.
    GcpSecretManager {
        /// Name of the secret.
        name: String,
        /// Version.
        version: String,
        /// Project and identity federation.
        server: GcpServer,
    }
}

object! {
    /// Project and identity federation of Google Cloud.
    GcpServer {
        /// Project number.
        project_number: String,
        /// Pool.
        workload_identity_federation_pool_id: String,
        /// Provider.
        workload_identity_federation_provider_id: String,
        /// Identity token, usually a variable reference.
        jwt: String,
    }
}

object! {
    /// Azure Key Vault.
    AzureKeyVault {
        /// Name of the secret.
        name: String,
        /// Version.
        version: String,
        /// Vault and application.
        server: AzureServer,
    }
}

object! {
    /// Vault and application in Azure.
    AzureServer {
        /// Application.
        client_id: String,
        /// Tenant.
        tenant_id: String,
        /// Identity token, usually a variable reference.
        jwt: String,
        /// URL of the vault.
        url: String,
    }
}

object! {
    /// AWS Secrets Manager.
    AwsSecretsManager {
        /// Name or ARN.
        secret_id: String,
        /// Version id.
        version_id: String,
        /// Version stage.
        version_stage: String,
        /// Field of a JSON secret.
        field: String,
        /// Region.
        region: String,
        /// Role to assume.
        role_arn: String,
        /// Session name.
        role_session_name: String,
        /// Defaults for the members above, and the identity token.
        server: AwsServer,
    }
}

object! {
    /// Defaults of AWS Secrets Manager.
    AwsServer {
        /// Region.
        region: String,
        /// Identity token, usually a variable reference.
        jwt: String,
        /// Role to assume.
        role_arn: String,
        /// Session name.
        role_session_name: String,
    }
}

object! {
    /// GitLab's own secrets manager.
    GitlabSecretsManager {
        /// Where it is and how to log in.
        server: GitlabSecretsServer,
        /// Secret engine.
        engine: VaultEngine,
        /// Path within the engine.
        path: String,
        /// Field of the secret.
        field: String,
    }
}

object! {
    /// Where GitLab's secrets manager is.
    GitlabSecretsServer {
        /// Base URL.
        url: String,
        /// How to log in.
        inline_auth: InlineAuth,
    }
}

object! {
    /// Log-in within each request.
    InlineAuth {
        /// Path.
        path: String,
        /// Identity token, usually a variable reference.
        jwt: String,
        /// Role.
        role: String,
        /// Mount of the method.
        auth_mount: String,
    }
}
