//! The client against the other end of a stream in memory, which says what a QEMU says, and what it never should.

use super::*;
use crate::decide::classify::RefusalKind;
use crate::vmm::Delivery;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

const HELLO: &str = r#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": ["oob"]}}"#;
const EMPTY: &str = r#"{"return": {}, "id": 1}"#;

fn limits() -> VmmLimits {
    VmmLimits { info_bytes: 4096, ..VmmLimits::default() }
}

/// Answers each line with the next of the texts, and then waits for ever. What it was asked comes back.
async fn serve(stream: DuplexStream, said: Vec<String>) -> Vec<String> {
    let mut stream = BufReader::new(stream);
    let mut asked = Vec::new();
    stream.get_mut().write_all(format!("{HELLO}\r\n").as_bytes()).await.unwrap();
    for text in said {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        asked.push(line.trim_end().to_owned());
        stream.get_mut().write_all(text.as_bytes()).await.unwrap();
    }
    asked
}

/// A client that was greeted, and then hears these lines.
async fn opened(said: &[&str]) -> Qmp {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let said = std::iter::once(&EMPTY).chain(said).map(|line| format!("{line}\n")).collect();
    tokio::spawn(serve(theirs, said));
    Qmp::open(Box::new(ours), limits()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn commands_carry_their_arguments_and_a_number() {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let said = vec![format!("{EMPTY}\n"), "{\"return\": {\"a\": 1}, \"id\": 2}\n".to_owned(), "\n".to_owned()];
    let server = tokio::spawn(serve(theirs, said));
    let mut qmp = Qmp::open(Box::new(ours), limits()).await.unwrap();
    assert_eq!(qmp.version(), "7.2.22");
    assert_eq!(qmp.execute("qom-get", json!({ "path": "/x" })).await.unwrap(), json!({ "a": 1 }));
    assert!(qmp.execute("stop", Value::Null).await.is_err());
    let expected = [
        r#"{"execute":"qmp_capabilities","id":1}"#,
        r#"{"arguments":{"path":"/x"},"execute":"qom-get","id":2}"#,
        r#"{"execute":"stop","id":3}"#,
    ];
    assert_eq!(server.await.unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_greeting_that_does_not_come_says_that_somebody_else_is_served() {
    let (ours, _theirs) = tokio::io::duplex(64);
    let error = Qmp::open(Box::new(ours), limits()).await.err().unwrap();
    let expected = "QEMU took the connection and said nothing within 2000 ms: it hangs, or it serves another client, \
                    of which a socket has one at a time; end that client";
    assert_eq!((error.to_string().as_str(), error.category()), (expected, "unreachable"));
    assert_eq!(error.delivery(), Delivery::NotSent);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_with_its_class_and_leaves_the_connection_usable() {
    let no = r#"{"error": {"class": "GenericError", "desc": "CPU[1] with APIC ID 1 exists"}, "id": 2}"#;
    let mut qmp = opened(&[no, r#"{"return": {}, "id": 3}"#]).await;
    let error = qmp.execute("device_add", json!({})).await.unwrap_err();
    assert_eq!(error.to_string(), "device_add was refused with GenericError: CPU[1] with APIC ID 1 exists");
    assert_eq!((error.delivery(), error.category()), (Delivery::Answered, RefusalKind::Other.as_str()));
    qmp.execute("device_add", json!({})).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn events_between_question_and_answer_are_kept_and_only_the_newest_of_many() {
    let event = r#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}"#;
    let last = r#"{"event": "DEVICE_DELETED", "data": {"device": "vcpu-1"}}"#;
    let said = format!("{}{last}\n{{\"return\": null, \"id\": 2}}", format!("{event}\n").repeat(KEPT_EVENTS));
    let mut qmp = opened(&[&said]).await;
    assert_eq!(qmp.execute("stop", Value::Null).await.unwrap(), Value::Null);
    let events = qmp.take_events();
    assert_eq!(events.len(), KEPT_EVENTS);
    assert_eq!(events[0], Event { name: "STOP".to_owned(), data: Value::Null });
    let deleted = Event { name: "DEVICE_DELETED".to_owned(), data: json!({ "device": "vcpu-1" }) };
    assert_eq!(events[KEPT_EVENTS - 1], deleted);
    assert_eq!(qmp.take_events(), []);
}

/// What is kept of events takes little, however many come and however long they are.
#[tokio::test(start_paused = true)]
async fn an_event_that_is_very_long_is_passed_over() {
    let long = format!(r#"{{"event": "STOP", "data": [{}0]}}"#, "0,".repeat(KEPT_EVENT_BYTES));
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let said = [EMPTY.to_owned(), format!("{long}\n{}", r#"{"return": 1, "id": 2}"#)];
    tokio::spawn(serve(theirs, said.map(|line| line + "\n").to_vec()));
    let mut qmp = Qmp::open(Box::new(ours), VmmLimits::default()).await.unwrap();
    assert_eq!(qmp.execute("stop", Value::Null).await.unwrap(), json!(1));
    assert_eq!(qmp.take_events(), []);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_events_is_not_read_for_ever() {
    let flood = |count: usize| format!("{}{{\"return\": 1, \"id\": 2}}", "{\"event\": \"STOP\"}\n".repeat(count));
    let mut most = opened(&[&flood(LINES_BEFORE_ANSWER)]).await;
    assert_eq!(most.execute("stop", Value::Null).await.unwrap(), json!(1));
    let mut beyond = opened(&[&flood(LINES_BEFORE_ANSWER + 1)]).await;
    let error = beyond.execute("stop", Value::Null).await.unwrap_err();
    assert_eq!((error.category(), error.delivery()), ("unreadable", Delivery::Unknown));
    assert_eq!(beyond.execute("stop", Value::Null).await.unwrap_err().category(), "lost");
}

#[tokio::test(start_paused = true)]
async fn a_line_beyond_the_cap_is_refused_also_when_it_comes_at_once() {
    let answer = |length: usize| format!("{{\"return\": \"{}\", \"id\": 2}}", "x".repeat(length));
    let around = answer(0).len();
    let mut fits = opened(&[&answer(4096 - around)]).await;
    assert!(fits.execute("stop", Value::Null).await.is_ok());
    let mut beyond = opened(&[&answer(4097 - around)]).await;
    assert!(matches!(beyond.execute("stop", Value::Null).await, Err(VmmError::TooLarge { limit: 4096, .. })));
}

#[tokio::test(start_paused = true)]
async fn an_event_is_waited_for_and_giving_up_loses_none_of_it() {
    let (ours, mut theirs) = tokio::io::duplex(64 << 10);
    theirs.write_all(format!("{HELLO}\n{EMPTY}\n{{\"event\": \"SHUT").as_bytes()).await.unwrap();
    let mut qmp = Qmp::open(Box::new(ours), limits()).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(1), qmp.next_event()).await.is_err());
    theirs.write_all(b"DOWN\"}\n").await.unwrap();
    assert_eq!(qmp.next_event().await.unwrap(), Event { name: "SHUTDOWN".to_owned(), data: Value::Null });
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_leaves_the_outcome_unknown_and_the_connection_useless() {
    let long = format!("{{\"return\": \"{}\"", "x".repeat(8192));
    let cases = [
        ("garbage", "unreadable"),
        ("[]", "unreadable"),
        ("{\"return\": {}, \"id\": 7}", "unreadable"),
        ("{\"return\": {}}", "unreadable"),
        ("{\"unheard\": 1}", "unreadable"),
        ("\u{0}\u{1}", "unreadable"),
        (long.as_str(), "unreadable"),
    ];
    for (said, category) in cases {
        let mut qmp = opened(&[said]).await;
        let error = qmp.execute("query-status", Value::Null).await.unwrap_err();
        assert_eq!((error.category(), error.delivery()), (category, Delivery::Unknown), "{said:.40}");
        let after = qmp.execute("query-status", Value::Null).await.unwrap_err();
        assert_eq!(after.category(), "lost", "{said:.40}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_half_an_answer_and_endless_events_end_at_the_deadline() {
    for said in ["", "{\"return\": {", "{\"event\": \"RESUME\"}\n{\"event\": \"STOP\"}\n"] {
        let (ours, mut theirs) = tokio::io::duplex(64 << 10);
        theirs.write_all(format!("{HELLO}\n{EMPTY}\n{said}").as_bytes()).await.unwrap();
        let mut qmp = Qmp::open(Box::new(ours), limits()).await.unwrap();
        let error = qmp.execute("query-status", Value::Null).await.unwrap_err();
        assert_eq!(error.to_string(), "no reply to query-status within 10000 ms", "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_late_is_passed_over_and_the_connection_goes_on() {
    let (ours, mut theirs) = tokio::io::duplex(64 << 10);
    theirs.write_all(format!("{HELLO}\n{EMPTY}\n{{\"return\": \"la").as_bytes()).await.unwrap();
    let mut qmp = Qmp::open(Box::new(ours), limits()).await.unwrap();
    assert_eq!(qmp.execute("stop", Value::Null).await.unwrap_err().category(), "timed-out");
    theirs.write_all(b"te\", \"id\": 2}\n{\"return\": \"own\", \"id\": 3}\n").await.unwrap();
    assert_eq!(qmp.execute("cont", Value::Null).await.unwrap(), json!("own"));
    assert_eq!(qmp.execute("stop", Value::Null).await.unwrap_err().category(), "timed-out");
    theirs.write_all(b"{\"return\": {}, \"id\": 4}\n{\"event\": \"STOP\"}\n").await.unwrap();
    assert_eq!(qmp.next_event().await.unwrap(), Event { name: "STOP".to_owned(), data: Value::Null });
}

#[tokio::test(start_paused = true)]
async fn a_command_that_was_not_sent_whole_leaves_the_connection_useless() {
    let (ours, mut theirs) = tokio::io::duplex(256);
    theirs.write_all(format!("{HELLO}\n{EMPTY}\n").as_bytes()).await.unwrap();
    let mut qmp = Qmp::open(Box::new(ours), limits()).await.unwrap();
    let long = json!({ "path": "x".repeat(4096) });
    assert_eq!(qmp.execute("qom-get", long).await.unwrap_err().category(), "timed-out");
    assert_eq!(qmp.execute("stop", Value::Null).await.unwrap_err().category(), "lost");
}

#[tokio::test(start_paused = true)]
async fn an_end_in_the_middle_of_an_answer_is_a_lost_connection() {
    let (ours, mut theirs) = tokio::io::duplex(64 << 10);
    theirs.write_all(format!("{HELLO}\n{EMPTY}\n{{\"ret").as_bytes()).await.unwrap();
    let mut qmp = Qmp::open(Box::new(ours), limits()).await.unwrap();
    drop(theirs);
    let error = qmp.execute("query-status", Value::Null).await.unwrap_err();
    assert_eq!((error.category(), error.delivery()), ("lost", Delivery::Unknown));
}
