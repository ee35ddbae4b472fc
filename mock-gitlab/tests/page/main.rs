//! The page at `/`, in headless Chromium.

mod browser;
mod stage;

use browser::Browser;
use serde_json::json;
use stage::{HOSTILE, Stage, write};

/// Every text whose contrast to what is behind it is less than 4.5, as WCAG 2 (1.4.3) counts.
const HARD_TO_READ: &str = r"(() => {
  const channels = (text) => text.match(/[\d.]+/g).map(Number);
  const part = (value) => (value /= 255, value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = channels(getComputedStyle(element).backgroundColor);
      if (colour[3] !== 0) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.nodeValue.trim() || !element.checkVisibility()) continue;
    const [a, b] = [light(channels(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) bad.push(`${contrast.toFixed(2)} ${element.className} ${walk.currentNode.nodeValue}`);
  }
  return bad;
})()";

/// Runners, queue with reasons, jobs, time line; light and dark can be read; nothing is asked from elsewhere.
#[test]
fn shows_what_is_going_on() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let stage = Stage::new();
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        browser.open(&stage.url("/"));
        browser.picture(&format!("page-{scheme}.png"));
        assert_eq!(browser.value(HARD_TO_READ), json!([]), "{scheme}");
    }
    let text = |browser: &mut Browser, selector: &str| {
        let text = browser.value(&format!("document.querySelector({selector:?}).innerText"));
        text.as_str().unwrap_or_default().to_owned()
    };
    let runners = text(&mut browser, "#runners");
    for part in [
        "#1 builder",
        "online",
        "never",
        "paused",
        "s_stage0000001",
        "project tools/site",
    ] {
        assert!(runners.contains(part), "{part}: {runners}");
    }
    // The order and the reasons of the page are those of the server.
    let places = browser.value(
        "[...document.querySelectorAll('details[data-key=queue-1] tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText))",
    );
    let places: Vec<Vec<String>> = serde_json::from_value(places).expect("a table");
    let (order, others): (Vec<_>, Vec<_>) = places.iter().partition(|row| row[0] != "not in it");
    let ids = stage.gitlab.act(|world, _| world.queue_for(1, 100));
    let shown: Vec<i64> = order
        .iter()
        .map(|row| {
            row[1]
                .trim_start_matches('#')
                .split(' ')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert_eq!(shown, ids);
    assert_eq!(order[0][5], "the next poll gets it");
    assert!(
        order[1][5].starts_with("fair order: the project has "),
        "{order:?}"
    );
    let why = |name: &str| {
        let row = others.iter().find(|row| row[1].contains(name));
        row.unwrap_or_else(|| panic!("{name}: {others:?}"))[5].clone()
    };
    assert_eq!(why("gpu"), "the runner lacks the tag `gpu`");
    assert_eq!(why("manual"), "somebody has to play the job first");
    assert!(why("deploy").contains("of the earlier stage `test` is running"));
    let jobs = text(&mut browser, "#jobs");
    assert!(
        jobs.contains("script_failure") && jobs.contains(HOSTILE),
        "{jobs}"
    );
    let bars = browser.value("[...document.querySelectorAll('#time svg')].map((bar) => bar.ariaLabel ?? bar.getAttribute('aria-label'))");
    assert!(
        bars.as_array().is_some_and(|bars| bars.len() >= 9),
        "{bars}"
    );
    browser.is_content(stage.gitlab.url());
}

/// A job's page follows its log: colours, sections that fold by keyboard and stay folded.
#[test]
fn follows_a_log() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let stage = Stage::new();
    // The URL that stands in the job's payload leads there.
    browser.open(&stage.url(&format!("/group/demo/-/jobs/{}", stage.running.id())));
    for scheme in ["dark", "light"] {
        browser.scheme(scheme);
        browser.picture(&format!("page-job-{scheme}.png"));
        assert_eq!(browser.value(HARD_TO_READ), json!([]), "{scheme}");
    }
    let sections = "[...document.querySelectorAll('#log details')].map((section) => [section.dataset.key, section.open])";
    let at_first = json!([
        ["prepare_executor", false],
        ["get_sources", true],
        ["step_script", true]
    ]);
    assert_eq!(browser.value(sections), at_first);
    assert_eq!(
        browser.value("document.querySelector('.f1').innerText"),
        "test slow ... FAILED"
    );
    assert_eq!(
        browser.value("document.querySelector('#log').innerText.includes('10%')"),
        json!(false)
    );
    // Folded by keyboard.
    browser.value("document.querySelector('details[data-key=get_sources] summary').focus()");
    browser.press("Enter", 13, "\r");
    browser.wait("!document.querySelector('details[data-key=get_sources]').open");
    // More log, and the end of the job, come without a reload; folds and focus stay.
    write(
        &stage.gitlab,
        &stage.running,
        "\x1b[35mone more line\x1b[0m\n",
    );
    browser.wait("document.querySelector('.f5')?.innerText === 'one more line'");
    assert_eq!(
        browser.value("document.querySelector('details[data-key=get_sources]').open"),
        json!(false)
    );
    assert_eq!(browser.value("document.activeElement.tagName"), "SUMMARY");
    stage.gitlab.act(|world, now| {
        world
            .finish_job(now, stage.running.id(), None)
            .expect("it ran")
    });
    browser.wait("document.querySelector('h1 .state').innerText === 'success'");
    browser.is_content(stage.gitlab.url());
}

/// By keyboard alone: the first key leads to the link that skips the head, everything that can be used has
/// a name.
#[test]
fn can_be_used_without_a_mouse() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let stage = Stage::new();
    for path in ["/".to_owned(), format!("/page/jobs/{}", stage.running.id())] {
        browser.open(&stage.url(&path));
        browser.press("Tab", 9, "");
        assert_eq!(browser.value("document.activeElement.className"), "skip");
        assert_eq!(
            browser.value("document.activeElement.getBoundingClientRect().left >= 0"),
            json!(true),
            "the link is seen while it has the focus"
        );
        browser.press("Enter", 13, "\r");
        assert_eq!(browser.value("document.activeElement.id"), "main");
        let tree = browser.call("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().expect("nodes");
        let mut used = 0;
        for node in nodes.iter().filter(|node| node["ignored"] == json!(false)) {
            let role = node["role"]["value"].as_str().unwrap_or_default();
            if [
                "link",
                "button",
                "DisclosureTriangle",
                "image",
                "table",
                "region",
                "log",
            ]
            .contains(&role)
            {
                let name = node["name"]["value"].as_str().unwrap_or_default();
                assert!(!name.trim().is_empty() || role == "table", "{path}: {node}");
                used += 1;
            }
        }
        assert!(used > 10, "{used}");
        assert_eq!(browser.value("document.documentElement.lang"), "en");
        assert_eq!(
            browser.value("document.querySelectorAll('h1').length"),
            json!(1)
        );
    }
}

/// What jobs write and are called stays text in a real browser too.
#[test]
fn runs_nothing_of_a_job() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let stage = Stage::new();
    for path in ["/".to_owned(), format!("/page/jobs/{}", stage.hostile.id())] {
        browser.open(&stage.url(&path));
        assert_eq!(browser.value("document.scripts.length"), json!(1), "{path}");
        assert_eq!(browser.value("document.images.length"), json!(0), "{path}");
        let text = browser.value("document.querySelector('main').innerText");
        assert!(
            text.as_str().is_some_and(|text| text.contains(HOSTILE)),
            "{path}: {text}"
        );
    }
    // The log as text is text.
    browser.open(&stage.url(&format!("/page/jobs/{}/raw", stage.hostile.id())));
    assert_eq!(browser.value("document.contentType"), "text/plain");
    assert_eq!(browser.value("document.images.length"), json!(0));
    assert!(
        !browser
            .events
            .iter()
            .any(|event| event["method"] == "Page.javascriptDialogOpening"),
        "nothing was alerted"
    );
    browser.is_content(stage.gitlab.url());
}
