//! What must be masked, and what must not. Put together at run time, so that scanners of source code find nothing here.

/// A text, and the part of it that nobody may see.
pub(super) struct Sample {
    pub(super) text: String,
    pub(super) secret: String,
}

const MIXED: &str = "0aZ9bY8cX7dW6eV5fU4gT3hS2iR1jQ0kP9lO8mN7nM6oL5pK4qJ3rI2sH1tG0uF9vE8wD7xC6yB5zA4";
const HEX: &str = "0f9e8d7c6b5a49382716f5e4d3c2b1a00f9e8d7c6b5a49382716f5e4d3c2b1a0";
const UPPER: &str = "Q7Z3X9K2M5W8E1R4T6Y0U2I5O8P1A4S7D9F3G6H0J2K5L8";

fn after(prefix: &str, secret: &str) -> Sample {
    Sample { text: format!("{prefix}{secret}"), secret: secret.to_owned() }
}

/// Credentials of the well-known kinds.
pub(super) fn credentials() -> Vec<Sample> {
    let mixed = [
        ("sk-", 48),
        ("sk-ant-api03-", 60),
        ("sk-proj-", 60),
        ("sk-or-v1-", 48),
        ("ghp_", 36),
        ("gho_", 36),
        ("ghu_", 36),
        ("ghs_", 36),
        ("ghr_", 36),
        ("github_pat_", 60),
        ("glpat-", 20),
        ("gldt-", 20),
        ("AIza", 35),
        ("ya29.", 60),
        ("GOCSPX-", 28),
        ("xoxb-", 40),
        ("xoxp-", 40),
        ("xapp-", 40),
        ("sk_live_", 24),
        ("rk_live_", 24),
        ("whsec_", 32),
        ("npm_", 36),
        ("pypi-Ag", 70),
        ("dckr_pat_", 27),
        ("hf_", 34),
        ("gsk_", 52),
        ("xai-", 60),
        ("r8_", 37),
        ("pplx-", 48),
        ("nvapi-", 64),
        ("hvs.", 40),
        ("lin_api_", 40),
        ("ATATT3", 60),
        ("glsa_", 40),
        ("tskey-", 30),
    ];
    let mut samples: Vec<Sample> = mixed.iter().map(|(prefix, length)| after(prefix, &MIXED[..*length])).collect();
    samples.extend(
        [("key-", 32), ("shpat_", 32), ("dop_v1_", 64), ("dapi", 32)].map(|(prefix, n)| after(prefix, &HEX[..n])),
    );
    samples
        .extend([("AKIA", 16), ("ASIA", 16), ("AGE-SECRET-KEY-1", 45)].map(|(prefix, n)| after(prefix, &UPPER[..n])));
    samples.extend([
        after("SG.", &format!("{}.{}", &MIXED[..22], &MIXED[10..53])),
        after("https://hooks.slack.com/services/", &format!("T0{}/B0{}/{}", &UPPER[..8], &UPPER[8..16], &MIXED[..24])),
        after("eyJhbGciOiJIUzI1NiJ9.", &format!("eyJ{}.{}", &MIXED[..40], &MIXED[30..70])),
        after("Bearer ", &MIXED[..40]),
        after("authorization: Basic ", "YW5uOmh1bnRlcjI="),
        after("Authorization: token ", &HEX[..40]),
        after("x-api-key: ", &MIXED[..32]),
        after("AWS_SECRET_ACCESS_KEY=", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        after("aws_secret_access_key = ", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        after("\\\"clientSecret\\\": \\\"", &MIXED[..24]),
        after(
            "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=",
            "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq==",
        ),
        Sample { text: "postgres://ann:hunter2@db.example/x".to_owned(), secret: "hunter2".to_owned() },
        Sample {
            text: "https://x-access-token:hunter2hunter2@forge.example/a.git".to_owned(),
            secret: "hunter2hunter2".to_owned(),
        },
    ]);
    samples
}

/// Private keys of every dress, as they stand in a file and in a JSON string.
pub(super) fn private_keys() -> Vec<String> {
    let lines: Vec<String> = (0..4).map(|nth| MIXED[nth..nth + 64].to_owned()).collect();
    let mut keys = Vec::new();
    for kind in ["", "RSA ", "OPENSSH ", "EC ", "ENCRYPTED "] {
        for end in ["\n", "\r\n", "\\n"] {
            let (begin, last) =
                (format!("-----BEGIN {kind}{} KEY-----", "PRIVATE"), format!("-----END {kind}{} KEY-----", "PRIVATE"));
            keys.push([&[begin], lines.as_slice(), &["Zm9vYmFy==".to_owned(), last]].concat().join(end));
        }
    }
    keys
}

/// Ordinary text that looks a little like it.
pub(super) const ORDINARY: &[&str] = &[
    "",
    "a task-oriented-approach-to-scheduling-work",
    "risk-1234567890abcdefghij is a ticket",
    "use sk-learn-compatible-estimators-only and sk-circle-fade-dot12",
    "ghp_ is how they begin, AKIA too, AKIAshort as well, xoxb-, glpat-xyz",
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0aZ9bY8cX7dW6eV5fU4g\n-----END PUBLIC KEY-----",
    "`-----BEGIN PRIVATE KEY-----` is how a private key begins, as everybody knows",
    "commit 9f2c1ab04d7e6b3c5a8f9e0d1c2b3a4958677665",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "checksum = \"0f9e8d7c6b5a49382716f5e4d3c2b1a00f9e8d7c6b5a49382716f5e4d3c2b1a0\"",
    "integrity sha512-v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHVxVjcXPs17LhbZVGedAJv8XZ1tvj5FvSg==",
    "123e4567-e89b-42d3-a456-426614174000",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
    "eyJuYW1lIjoiYSBwaWVjZSBvZiBKU09OIGluIGJhc2UgNjQgd2l0aG91dCBkb3RzIn0=",
    "http://localhost:8080/a@b and ssh://git@host.example:22/x.git and git@host.example:a/b.git",
    "https://ann:$PASSWORD@host.example and https://ann:${PASSWORD}@host.example and https://ann:<password>@host.example",
    "let token = parse_token(input)?; let max_tokens = 4096; password: String, secret: &str",
    "api_key = os.environ[\"OPENAI_API_KEY_1234\"]; let access_token = credentials_v2_20240101_x;",
    "if token == expected_token_12345678 { return access_token::load12345678901() }",
    "\"input_tokens\":123456,\"cache_creation_input_tokens\":98765,\"output_tokens\":1234567890123456",
    "the bearer of bad news; Authorization: Bearer $TOKEN; -H \"Authorization: Bearer ${TOKEN}\"",
    "NPM_TOKEN= and GITHUB_TOKEN=$(cat file) and password=/run/secrets/db_2024_password",
    "thread 'main' panicked at src/main.rs:12:5: key-value store, api_key missing, secret-santa-2024-12-24",
    "2026-11-20T10:00:00.000000Z INFO fleet::worker: a job was claimed job.id=k3f9a0b1c2 run=1",
    "fleet/k3f9a0b1c2-rotate-the-api-key refs/fleet/wip/k3f9a0b1c2",
];
