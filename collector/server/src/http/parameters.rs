//! Query parameters that a route does not take are refused.

use super::openapi;
use crate::problem::ApiError;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use url::form_urlencoded;

/// Refuses parameters that the OpenAPI document does not name for the route: a misspelt filter would
/// otherwise be ignored, and the caller would get everything.
pub(crate) async fn refuse_unknown(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_api = request.path().starts_with("/v1/");
    let route = request.match_pattern().filter(|_| is_api);
    if let Some(known) = route.and_then(|route| openapi::parameters(request.method(), &route))
        && form_urlencoded::parse(request.query_string().as_bytes())
            .any(|(name, _)| !known.iter().any(|known| *known == name))
    {
        let refused = unknown(known).error_response();
        return Ok(request.into_response(refused).map_into_left_body());
    }
    Ok(next.call(request).await?.map_into_right_body())
}

fn unknown(known: &[String]) -> ApiError {
    let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    ApiError::Invalid(match names.as_slice() {
        [] => "This route takes no query parameters.".to_owned(),
        names => {
            format!(
                "The query has a parameter that this route does not take. It takes {}.",
                names.join(", ")
            )
        }
    })
}
