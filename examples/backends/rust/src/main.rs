//! axum behind Kong: answers who calls, when a token of x-custom-jwt verifies, and 401 otherwise.

use std::{env, error::Error, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::any,
};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{Jwk, JwkSet},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::Instant};

type Failure = Box<dyn Error + Send + Sync>;

/// What the backend wants of a token; a token without it is refused.
#[derive(Clone, Deserialize, Serialize)]
struct Caller {
    client_id: String,
}

/// The gateway's JWK Set, which jsonwebtoken does not fetch itself.
struct KeySet {
    url: String,
    http: reqwest::Client,
    /// How long a key is believed that has left the JWK Set.
    keep: Duration,
    fetched: Mutex<Fetched>,
}

#[derive(Default)]
struct Fetched {
    tried: Option<Instant>,
    set: Option<(Instant, JwkSet)>,
}

impl Fetched {
    fn find(&self, kid: &str, keep: Duration) -> Option<&Jwk> {
        let fresh = self.set.as_ref().filter(|(at, _)| at.elapsed() < keep);
        fresh.and_then(|(_, set)| set.find(kid))
    }
}

impl KeySet {
    async fn key(&self, kid: &str) -> Result<DecodingKey, Failure> {
        let mut fetched = self.fetched.lock().await;
        // A `kid` that is not in the set fetches it again, but no oftener than this.
        let may_fetch = fetched
            .tried
            .is_none_or(|at| at.elapsed() >= self.keep / 10);
        if may_fetch && fetched.find(kid, self.keep).is_none() {
            let now = Instant::now();
            fetched.tried = Some(now);
            let response = self.http.get(&self.url).send().await?;
            fetched.set = Some((now, response.error_for_status()?.json().await?));
        }
        let jwk = fetched.find(kid, self.keep);
        Ok(DecodingKey::from_jwk(
            jwk.ok_or("the set has no such kid")?,
        )?)
    }
}

struct Verifier {
    keys: KeySet,
    expected: Validation,
}

impl Verifier {
    async fn verify(&self, headers: &HeaderMap) -> Result<Caller, Failure> {
        let token = headers.get("X-Custom-Jwt").ok_or("no token")?.to_str()?;
        let kid = decode_header(token)?.kid.ok_or("no kid")?;
        Ok(decode(token, &self.keys.key(&kid).await?, &self.expected)?.claims)
    }
}

async fn verified(
    State(verifier): State<Arc<Verifier>>,
    mut request: Request,
    next: Next,
) -> Response {
    match verifier.verify(request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => {
            eprintln!("refused: {error}");
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            (StatusCode::UNAUTHORIZED, challenge, "Unauthorized").into_response()
        }
    }
}

async fn who_calls(Extension(caller): Extension<Caller>) -> Json<Caller> {
    Json(caller)
}

fn setting(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.into())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    // Exactly as in the plugin's configuration: `iss`, and `audience` or the URL of the Kong Service.
    let issuer = setting("ISSUER", "https://api.example.com/x-custom-jwt");
    let audience = setting("AUDIENCE", "http://orders:8080");
    // That of your key alone, never what the token says.
    let mut expected = Validation::new(Algorithm::ES256);
    expected.set_required_spec_claims(&["exp", "iss", "aud"]);
    expected.set_issuer(&[&issuer]);
    expected.set_audience(&[&audience]);
    expected.leeway = 5;
    let keys = KeySet {
        // Configured here, and never taken from the token: whoever forges a token chooses its `jku`.
        url: setting("JWKS_URL", &format!("{issuer}/jwks")),
        http: reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .build()?,
        keep: Duration::from_secs(setting("JWKS_CACHE_SECONDS", "300").parse()?),
        fetched: Mutex::default(),
    };

    let app = Router::new()
        .fallback(any(who_calls))
        .layer(middleware::from_fn_with_state(
            Arc::new(Verifier { keys, expected }),
            verified,
        ));
    let port = setting("PORT", "8080").parse()?;
    let listener = tokio::net::TcpListener::bind(("0.0.0.0", port)).await?;
    Ok(axum::serve(listener, app).await?)
}
