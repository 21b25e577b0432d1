//! `mainstay board`, while nothing runs and beside a program that does.

use serde_json::{Value, json};

use crate::program::{Ended, Place};

/// Words between single spaces; those with spaces of their own come in `more`.
fn run(place: &Place, words: &str, more: &[&str]) -> Ended {
    Ended::from(place.command(words).args(more).output().unwrap())
}

/// Rank, scores and owner of each line.
fn lines(printed: &str) -> Vec<Vec<&str>> {
    printed.lines().map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn a_board_is_made_scored_read_and_deleted_whether_the_program_runs_or_not() {
    for runs in [false, true] {
        let place = Place::new();
        let serving = runs.then(|| place.serve());
        if runs {
            let said = place.run("board list").printed();
            assert_eq!(said, "no boards yet; make one with `mainstay board create`\n");
        } else {
            // Nobody who looks in the wrong folder is told that their boards are gone, and none is made there.
            let said = place.run("board list").complained(1);
            assert!(said.contains("find the data folder `./data`"), "{said}");
            assert!(!place.path().join("data").exists());
        }
        let words =
            "board create laps --title Laps --column seconds:asc:3 --column stars --ties shared";
        let said = run(&place, words, &["--reset", "0 0 * * 1", "--time-zone", "Asia/Kolkata"]);
        let said = said.printed();
        assert!(said.contains("seconds, asc, 3 decimals"), "{said}");
        assert!(said.contains("0 0 * * 1 (Asia/Kolkata)"), "{said}");

        let said = place.run("board submit laps ada 61.250 -3").printed();
        assert_eq!(lines(&said), [["1", "61.250", "-3", "ada"]]);
        let list = json!([
            { "owner": "bea", "scores": ["61.25", -3] }, { "owner": "cid", "scores": ["59", 0] },
        ]);
        let said = place.run_with("board submit laps --file -", &list.to_string()).printed();
        assert_eq!(said, "2 scores taken, 0 refused\n");
        let said = place.run("board top laps --limit 2").printed();
        assert_eq!(
            lines(&said),
            [
                vec!["1", "59.000", "0", "cid"],
                vec!["2", "61.250", "-3", "ada"],
                vec!["3", "entries"],
            ]
        );
        let said = place.run("board rank laps bea").printed();
        assert_eq!(lines(&said), [["2", "61.250", "-3", "bea", "of", "3"]]);
        let page = place.run("board top laps --window 1 --json").printed_json();
        assert_eq!(page["items"][1]["rank"], 2);

        // What is shown can be given back.
        let shown = place.run("board show laps --json").printed();
        let copy = place.run_with("board create laps2 --from - --json", &shown).printed_json();
        let first: Value = serde_json::from_str(&shown).unwrap();
        for name in ["title", "columns", "ties", "reset", "operator"] {
            assert_eq!(copy[name], first[name]);
        }
        let all = place.run("board list --json").printed_json();
        let ids: Vec<&Value> =
            all["items"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
        assert_eq!(ids, ["laps", "laps2"]);

        assert!(place.run("board delete laps").complained(2).contains("--yes"));
        assert_eq!(place.run("board delete laps --yes").printed(), "deleted laps\n");
        let said = place.run("board show laps").complained(5);
        assert!(said.contains("There is no board `laps`."), "{said}");
        if let Some(serving) = serving {
            serving.signal("TERM");
            assert_eq!(serving.end().0, Some(0));
        }
    }
}

#[test]
fn a_board_command_says_what_is_wrong_and_takes_what_is_right() {
    let place = Place::new();
    place.run("board create steps --title Steps --column steps").printed();
    let list = json!([
        { "owner": "ada", "scores": [1] }, { "owner": "bea", "scores": ["x"] }, { "scores": [3] },
    ]);
    let ended = place.run_with("board submit steps --file -", &list.to_string());
    assert_eq!((ended.code, &*ended.stdout), (Some(5), "1 score taken, 2 refused\n"));
    assert!(ended.stderr.contains("score 1: /scores/0: Send a whole number"), "{ended:?}");
    assert_eq!(place.run("board rank steps ada").code, Some(0), "it is there");

    let refused = [
        ("board submit nowhere ada 1", 5, "There is no board `nowhere`."),
        ("board rank steps zoe", 5, "`zoe` has no entry in that period."),
        ("board top steps --window previous", 5, "This board has no such period."),
        ("board top steps --window never", 5, "Ask for `current`, `previous`"),
        ("board create a/b --title x --column y", 5, "Name a board in 1 to 128 letters"),
        ("board create b --title x --column y:up", 2, "write NAME, NAME:asc, or NAME:desc:2"),
        ("board create b --title x --column y --operator max", 2, "best, set, incr, decr"),
        ("board create b --title x --column y --reset never", 5, "Write five fields"),
        ("board create b --title x --column y:asc:9", 5, "columns/0/scale"),
        ("board submit steps --file missing.json", 1, "open `missing.json`"),
        ("board top steps --limit 0", 2, "1..=1000"),
    ];
    let again = "board create steps --title Steps --column steps --operator incr";
    let said = place.run(again).complained(5);
    assert!(said.contains("There is a board `steps` with other settings"), "{said}");
    assert_eq!(place.run("board show steps --json").printed_json()["operator"], "best");
    place.run("board create steps --title Steps --column steps").printed();
    place.run(&format!("{again} --replace")).printed();
    assert_eq!(place.run("board show steps --json").printed_json()["operator"], "incr");

    for (words, code, detail) in refused {
        let said = place.run(words).complained(code);
        assert!(said.contains(detail), "{words}: {said}");
    }
    let said = place.run_with("board submit steps --file -", "nope").complained(2);
    assert!(said.contains("read standard input as JSON"), "{said}");
}
