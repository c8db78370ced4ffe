//! The demo site: a landing page, pricing, a blog, the contact form and its thank-you page.
//!
//! Every page has the tracker's tag, as a customer would paste it, and no other script.
//! [`crate::contact`] handles the posted form.

pub(crate) mod articles;

use crate::contact::submission::Problem;
use crate::contact::{self, ContactHandler, submission};
use crate::page;
use crate::settings::Settings;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, web};
use articles::{ARTICLES, Article};
use askama::Template;

/// The routes.
pub(crate) fn configure(
    config: &mut web::ServiceConfig,
    shell: &web::Data<Shell>,
    contact: &web::Data<ContactHandler>,
) {
    config
        .app_data(shell.clone())
        .app_data(contact.clone())
        .route("/", web::get().to(landing))
        .route("/pricing", web::get().to(pricing))
        .route("/blog", web::get().to(blog))
        .route("/blog/{slug}", web::get().to(article))
        .service(
            web::resource("/contact")
                .route(web::get().to(contact_form))
                .route(web::post().to(contact::receive)),
        )
        .route("/thank-you", web::get().to(thank_you))
        .route("/site.css", web::get().to(async || page::css(include_str!("../assets/site.css"))))
        .route("/icon.svg", web::get().to(async || page::svg(include_str!("../assets/site.svg"))))
        .default_service(web::to(not_found));
}

/// What all pages of the site share.
pub(crate) struct Shell {
    /// The two values in the tag.
    tracker_url: String,
    site: String,
    /// The site's URL as browsers see it.
    pub(crate) public_url: String,
    content_security_policy: Option<String>,
}

impl Shell {
    pub(crate) fn new(settings: &Settings, public_url: &str) -> Self {
        Self {
            tracker_url: settings.tracker_url.trim_end_matches('/').to_owned(),
            site: settings.site.clone(),
            public_url: public_url.to_owned(),
            content_security_policy: settings.content_security_policy.clone(),
        }
    }

    fn page(&self, status: StatusCode, template: &impl Template) -> HttpResponse {
        let mut response = page::html(status, template);
        if let Some(policy) = &self.content_security_policy {
            match header::HeaderValue::from_str(policy) {
                Ok(value) => {
                    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, value);
                }
                Err(error) => {
                    tracing::error!(%error, "the content security policy is not a valid header")
                }
            }
        }
        response
    }

    /// The contact form with the values typed and their problems.
    pub(crate) fn contact_page(
        &self,
        form: &submission::Form,
        problems: &[Problem],
    ) -> HttpResponse {
        let status =
            if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        self.page(status, &ContactPage { shell: self, form, problems })
    }
}

#[derive(Template)]
#[template(path = "site/landing.html")]
struct LandingPage<'a> {
    shell: &'a Shell,
    articles: &'a [Article],
}

#[derive(Template)]
#[template(path = "site/pricing.html")]
struct PricingPage<'a> {
    shell: &'a Shell,
}

#[derive(Template)]
#[template(path = "site/blog.html")]
struct BlogPage<'a> {
    shell: &'a Shell,
    articles: &'a [Article],
}

#[derive(Template)]
#[template(path = "site/article.html")]
struct ArticlePage<'a> {
    shell: &'a Shell,
    article: &'a Article,
    others: Vec<&'a Article>,
}

#[derive(Template)]
#[template(path = "site/contact.html")]
struct ContactPage<'a> {
    shell: &'a Shell,
    form: &'a submission::Form,
    problems: &'a [Problem],
}

impl ContactPage<'_> {
    /// The problem with a field, for the line below it.
    fn problem(&self, field: &str) -> Option<&str> {
        self.problems.iter().find(|problem| problem.field == field).map(|problem| problem.text)
    }
}

#[derive(Template)]
#[template(path = "site/thank_you.html")]
struct ThankYouPage<'a> {
    shell: &'a Shell,
}

#[derive(Template)]
#[template(path = "site/not_found.html")]
struct NotFoundPage<'a> {
    shell: &'a Shell,
}

async fn landing(shell: web::Data<Shell>) -> HttpResponse {
    shell.page(StatusCode::OK, &LandingPage { shell: &shell, articles: &ARTICLES })
}

async fn pricing(shell: web::Data<Shell>) -> HttpResponse {
    shell.page(StatusCode::OK, &PricingPage { shell: &shell })
}

async fn blog(shell: web::Data<Shell>) -> HttpResponse {
    shell.page(StatusCode::OK, &BlogPage { shell: &shell, articles: &ARTICLES })
}

async fn article(shell: web::Data<Shell>, slug: web::Path<String>) -> HttpResponse {
    let Some(article) = ARTICLES.iter().find(|article| article.slug == *slug) else {
        return not_found(shell).await;
    };
    let others = ARTICLES.iter().filter(|other| other.slug != article.slug).collect();
    shell.page(StatusCode::OK, &ArticlePage { shell: &shell, article, others })
}

async fn contact_form(shell: web::Data<Shell>) -> HttpResponse {
    shell.contact_page(&submission::Form::blank(), &[])
}

async fn thank_you(shell: web::Data<Shell>) -> HttpResponse {
    shell.page(StatusCode::OK, &ThankYouPage { shell: &shell })
}

async fn not_found(shell: web::Data<Shell>) -> HttpResponse {
    shell.page(StatusCode::NOT_FOUND, &NotFoundPage { shell: &shell })
}
