//! The referring site: one page of a trade magazine, whose links lead to the demo site.
//!
//! One link is plain, so the browser's referrer is the only evidence; one is tagged as a
//! newsletter's; one is an ad's, with a click id. The magazine has no tracker.

use crate::page;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

/// The routes. The links lead to `site_url`.
pub(crate) fn configure(config: &mut web::ServiceConfig, site_url: &str) {
    config
        .app_data(web::Data::new(Links { site_url: site_url.to_owned() }))
        .route("/", web::get().to(front_page))
        .route("/news.css", web::get().to(async || page::css(include_str!("../assets/news.css"))))
        .route("/icon.svg", web::get().to(async || page::svg(include_str!("../assets/news.svg"))));
}

struct Links {
    site_url: String,
}

#[derive(Template)]
#[template(path = "news/front_page.html")]
struct FrontPage<'a> {
    site_url: &'a str,
}

async fn front_page(links: web::Data<Links>) -> HttpResponse {
    page::html(StatusCode::OK, &FrontPage { site_url: &links.site_url })
}
