//! The console without script: links and forms, cookies, and what a form that is not ours meets.

use std::{collections::BTreeMap, fs, path::Path};

use reqwest::{Method, StatusCode, header, redirect::Policy};

use crate::program::{Place, photograph};

const PASSWORD: &str = "correct horse battery";

/// A browser without script: it keeps cookies, follows one redirect after a form, and says where its forms come from.
struct Browser {
    site: String,
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

/// What a page answered.
#[derive(Debug)]
struct Shown {
    status: StatusCode,
    location: String,
    page: String,
}

impl Browser {
    fn new(address: &str) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { site: format!("http://{address}"), http, cookies: BTreeMap::new() }
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<(String, Vec<u8>)>) -> Shown {
        self.send_from("same-origin", method, path, body).await
    }

    async fn send_from(
        &mut self,
        origin: &str,
        method: Method,
        path: &str,
        body: Option<(String, Vec<u8>)>,
    ) -> Shown {
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.site))
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, cookies.join("; "))
            .header("sec-fetch-site", origin);
        if let Some((kind, bytes)) = body {
            request = request.header(header::CONTENT_TYPE, kind).body(bytes);
        }
        let answer = request.send().await.unwrap();
        for line in answer.headers().get_all(header::SET_COOKIE) {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let status = answer.status();
        let location = answer.headers().get(header::LOCATION);
        let location = location.map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        Shown { status, location, page: answer.text().await.unwrap() }
    }

    async fn get(&mut self, path: &str) -> Shown {
        self.send(Method::GET, path, None).await
    }

    /// Sends the form on `page` that goes to `action`, with its hidden token and these fields.
    async fn submit(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Shown {
        let page = self.get(page).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        assert!(page.page.contains(&format!("action=\"{action}\"")), "no such form: {}", page.page);
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.append_pair("csrf", hidden(&page.page, "csrf"));
        body.append_pair("return_to", hidden(&page.page, "return_to"));
        body.extend_pairs(fields);
        let kind = "application/x-www-form-urlencoded".to_owned();
        self.send(Method::POST, action, Some((kind, body.finish().into_bytes()))).await
    }

    async fn register(&mut self, handle: &str) {
        let email = format!("{handle}@example.org");
        let fields = [("handle", handle), ("email", &email), ("password", PASSWORD)];
        let answer = self.submit("/register", "/register", &fields).await;
        assert_eq!((answer.status, answer.location.as_str()), (StatusCode::SEE_OTHER, "/"));
    }
}

/// The value of a hidden field.
fn hidden<'a>(page: &'a str, name: &str) -> &'a str {
    let begin = format!("name=\"{name}\" value=\"");
    page.split_once(&begin).and_then(|(_, rest)| rest.split_once('"')).unwrap().0
}

/// A form with files, as browsers write it.
fn parts(fields: &[(&str, &str)], file: Option<&Path>) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--cut\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    if let Some(file) = file {
        let name = file.file_name().unwrap().display();
        let head = format!(
            "--cut\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&fs::read(file).unwrap());
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--cut--\r\n");
    ("multipart/form-data; boundary=cut".to_owned(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_one_signs_in_posts_a_photo_likes_and_comments() {
    let place = Place::new();
    let serving = place.serve();
    let mut ada = Browser::new(serving.address());
    ada.register("ada").await;
    assert_eq!(ada.get("/").await.location, "/home");

    let form = ada.get("/compose").await.page;
    let fields = [
        ("csrf", hidden(&form, "csrf")),
        ("caption", "Lift-off #space"),
        ("visibility", "public"),
        ("comments_enabled", "on"),
        ("action", "publish"),
    ];
    let body = parts(&fields, Some(&photograph()));
    let posted = ada.send(Method::POST, "/posts", Some(body)).await;
    assert_eq!(posted.status, StatusCode::SEE_OTHER, "{posted:?}");
    let post = posted.location.clone();
    let page = ada.get(&post).await.page;
    assert!(page.contains("Post published.") && page.contains("class=\"photo\""), "{page}");
    assert!(!ada.get(&post).await.page.contains("Post published."), "it is said once");

    let mut ben = Browser::new(serving.address());
    ben.register("ben").await;
    let liked = ben.submit("/explore", &format!("{post}/like"), &[]).await;
    assert_eq!(liked.status, StatusCode::SEE_OTHER);
    assert!(liked.location.starts_with("/explore#post_"), "{}", liked.location);
    assert!(ben.get(&post).await.page.contains("aria-pressed=\"true\""));
    // Pressed again it is taken back: the page offers the other form.
    ben.submit(&post, &format!("{post}/unlike"), &[]).await;
    assert!(ben.get(&post).await.page.contains("aria-pressed=\"false\""));
    let path = format!("{post}/comments");
    let written = ben.submit(&post, &path, &[("text", "What a view <b>!")]).await;
    assert!(written.location.starts_with(&format!("{post}#comment_")), "{written:?}");
    assert!(ada.get(&post).await.page.contains("What a view &lt;b&gt;!"));

    let refused = ben.submit(&post, &path, &[("text", " ")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.page.contains("Write something.") && refused.page.contains("aria-invalid"));

    ben.submit("/settings", "/sign-out", &[]).await;
    assert_eq!(ben.get("/home").await.location, "/sign-in?return_to=%2Fhome");
    let wrong = [("login", "ben"), ("password", "not this one")];
    let refused = ben.submit("/sign-in?return_to=%2Fhome", "/sign-in", &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.page.contains("The name or the password is wrong."));
    let right = [("login", "ben"), ("password", PASSWORD)];
    let back = ben.submit("/sign-in?return_to=%2Fhome", "/sign-in", &right).await;
    assert_eq!((back.status, back.location.as_str()), (StatusCode::SEE_OTHER, "/home"));
    assert_eq!(ben.get("/home").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_takes_a_large_file_and_says_what_is_wrong_with_a_bad_one() {
    let place = Place::new();
    let serving = place.serve();
    let mut ada = Browser::new(serving.address());
    ada.register("ada").await;
    let folder = tempfile::tempdir().unwrap();
    let (large, bad) = (folder.path().join("large.jpg"), folder.path().join("bad.jpg"));
    // What stands behind a picture's end is not kept, but it has to arrive.
    fs::write(&large, [fs::read(photograph()).unwrap(), vec![0; 5 << 20]].concat()).unwrap();
    fs::write(&bad, b"<html>").unwrap();
    for (file, status) in
        [(&large, StatusCode::SEE_OTHER), (&bad, StatusCode::UNPROCESSABLE_ENTITY)]
    {
        let form = ada.get("/compose").await.page;
        let fields =
            [("csrf", hidden(&form, "csrf")), ("visibility", "public"), ("action", "publish")];
        let answer = ada.send(Method::POST, "/posts", Some(parts(&fields, Some(file)))).await;
        assert_eq!(answer.status, status, "{}: {}", file.display(), answer.page);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_does_nothing() {
    let place = Place::new();
    let serving = place.serve();
    let mut ada = Browser::new(serving.address());
    ada.register("ada").await;
    let kind = || "application/x-www-form-urlencoded".to_owned();
    let form = ada.get("/settings").await.page;
    let good = format!("csrf={}&return_to=%2F", hidden(&form, "csrf"));
    let (sign_out, upload) = ("/settings/sign-out-everywhere", "/posts");
    for (origin, path, body) in [
        ("same-origin", sign_out, (kind(), b"return_to=%2F".to_vec())),
        ("same-origin", sign_out, (kind(), b"csrf=guessed".to_vec())),
        ("cross-site", sign_out, (kind(), good.into_bytes())),
        ("same-origin", upload, parts(&[("caption", "no token")], None)),
        (
            "same-origin",
            upload,
            parts(&[("caption", "late"), ("csrf", hidden(&form, "csrf"))], None),
        ),
    ] {
        let refused = ada.send_from(origin, Method::POST, path, Some(body)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path} from {origin}");
    }
    assert_eq!(ada.get("/home").await.status, StatusCode::OK, "still signed in");
    // Nobody signs a visitor in as somebody else, either.
    let body = format!("login=ada&password={}", PASSWORD.replace(' ', "+"));
    let mut stranger = Browser::new(serving.address());
    let body = (kind(), body.into_bytes());
    let refused = stranger.send_from("cross-site", Method::POST, "/sign-in", Some(body)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(stranger.cookies.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_lead_to_this_site_only_and_refusals_are_pages() {
    let place = Place::new();
    let serving = place.serve();
    let mut ada = Browser::new(serving.address());
    ada.register("ada").await;
    let kind = "application/x-www-form-urlencoded".to_owned();
    for to in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
    {
        let form = ada.get("/settings").await.page;
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.append_pair("csrf", hidden(&form, "csrf")).append_pair("return_to", to);
        let body = Some((kind.clone(), body.finish().into_bytes()));
        assert_eq!(ada.send(Method::POST, "/theme", body).await.location, "/", "{to}");
    }
    let refused = ada.get("/moderation").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.page.contains("You may not see this") && refused.page.contains("@ada"));
    let missing = ada.get("/posts/post_01h455vb4pex5vsknk084sn02q").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.page.contains("This post is not here"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_is_taken_by_form_and_signs_out_every_other_browser() {
    const NEXT: &str = "a staple and a battery";
    let place = Place::new();
    let serving = place.serve();
    let (mut here, mut there) = (Browser::new(serving.address()), Browser::new(serving.address()));
    here.register("ada").await;
    let fields = [("login", "ada"), ("password", PASSWORD)];
    assert_eq!(there.submit("/sign-in", "/sign-in", &fields).await.location, "/");

    let (page, action) = ("/settings/security", "/settings/password");
    let wrong = [("current_password", "not this one"), ("new_password", NEXT)];
    let refused = here.submit(page, action, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.page.contains("This is not your present password."), "{refused:?}");
    assert!(!refused.page.contains("not this one") && !refused.page.contains(NEXT));
    assert_eq!(there.get("/home").await.status, StatusCode::OK);

    let right = [("current_password", PASSWORD), ("new_password", NEXT)];
    let changed = here.submit(page, action, &right).await;
    assert_eq!((changed.status, changed.location.as_str()), (StatusCode::SEE_OTHER, page));
    assert!(here.get(page).await.page.contains("Password changed."));
    assert_eq!(there.get("/home").await.location, "/sign-in?return_to=%2Fhome");
    let old = there.submit("/sign-in", "/sign-in", &fields).await;
    assert_eq!(old.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields = [("login", "ada"), ("password", NEXT)];
    assert_eq!(there.submit("/sign-in", "/sign-in", &fields).await.location, "/");

    // The other browser is in the list, and is signed out from here.
    let listed = here.get(page).await.page;
    let (_, rest) = listed.split_once("action=\"/settings/sessions/").unwrap();
    let end = format!("/settings/sessions/{}", rest.split_once('"').unwrap().0);
    here.submit(page, &end, &[]).await;
    assert_eq!(there.get("/home").await.status, StatusCode::SEE_OTHER);
    assert!(!here.get(page).await.page.contains("action=\"/settings/sessions/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_is_made_by_form_shown_once_renewed_and_revoked() {
    let place = Place::new();
    let serving = place.serve();
    let mut ada = Browser::new(serving.address());
    ada.register("ada").await;
    let page = "/settings/keys";
    let refused = ada.submit(page, page, &[("name", "Calendar")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.page.contains("Name at least one scope"), "{refused:?}");
    assert!(refused.page.contains("value=\"Calendar\""), "what was typed is kept");
    let beyond = ada.submit(page, page, &[("name", "Calendar"), ("admin", "admin")]).await;
    assert!(beyond.page.contains("Your role does not include `admin`."), "{beyond:?}");

    let made = ada.submit(page, page, &[("name", "Calendar"), ("read", "read")]).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let secret = |page: &str| {
        let (_, rest) = page.split_once("value=\"mk_").unwrap();
        format!("mk_{}", rest.split_once('"').unwrap().0)
    };
    let me = async |secret: &str| {
        let url = format!("http://{}/api/v1/me", serving.address());
        ada.http.get(url).bearer_auth(secret).send().await.unwrap().status()
    };
    let first = secret(&made.page);
    assert_eq!(me(&first).await, StatusCode::OK);
    let mut again = Browser { cookies: ada.cookies.clone(), ..Browser::new(serving.address()) };
    let listed = again.get(page).await.page;
    assert!(listed.contains("Calendar") && !listed.contains(&first), "it is shown once");

    let (_, rest) = listed.split_once("action=\"/settings/keys/").unwrap();
    let key = format!("{page}/{}", rest.split_once('/').unwrap().0);
    let renewed = again.submit(page, &format!("{key}/rotate"), &[]).await;
    let second = secret(&renewed.page);
    assert_eq!((me(&first).await, me(&second).await), (StatusCode::OK, StatusCode::OK));
    let revoked = again.submit(page, &format!("{key}/revoke"), &[]).await;
    assert_eq!(revoked.location, page);
    assert_eq!(me(&first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&second).await, StatusCode::UNAUTHORIZED);
    assert!(!again.get(page).await.page.contains("Calendar"));
}
