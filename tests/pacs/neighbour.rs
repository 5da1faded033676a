//! Neighbours: dcmtk's senders and Orthanc as processes, and one of our own for what neither can send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use dicom_dictionary_std::tags;
use dicom_ul::ClientAssociationOptions;
use dicom_ul::association::client::ClientAssociation;
use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu};
use overread::pacs::command::{CommandSet, Element, field};
use overread::study::part10::{self, uid_of};

use crate::support::program::{Home, Killed, Node};

/// `overread pacs listen` on loopback.
pub struct Listener {
    pub node: Node,
    pub port: u16,
}

impl Listener {
    pub fn start(home: &Home, flags: &[&str]) -> Self {
        let mut command = home.json(&["pacs", "listen", "--address", "127.0.0.1", "--port", "0"]);
        Self::of(command.args(flags).stderr(Stdio::null()))
    }

    /// Keeps what it says to people in a file.
    pub fn logging(command: &mut Command, log: &Path) -> Self {
        Self::of(command.stderr(std::fs::File::create(log).unwrap()))
    }

    fn of(command: &mut Command) -> Self {
        let node = Node::with_first(command, "pacs_listening");
        let address = node.seen[0]["address"].as_str().unwrap().to_owned();
        Self { node, port: address.rsplit_once(':').unwrap().1.parse().unwrap() }
    }

    /// Waits for the end of an association, and gives its event.
    pub fn ended(&mut self) -> serde_json::Value {
        self.node.event(|event| event["event"] == "pacs_association" && event["state"] != "opened")
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }
}

/// Whether dcmtk is here; CI must have it.
pub fn dcmtk() -> bool {
    let is_here = Command::new("storescu").arg("--version").output().is_ok();
    assert!(is_here || std::env::var_os("CI").is_none(), "CI needs dcmtk");
    if !is_here {
        eprintln!("SKIPPED: dcmtk is not here; nothing was pushed");
    }
    is_here
}

/// A tool of dcmtk that calls a listener on this machine.
pub fn dcmtk_tool(tool: &str, port: u16, called: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(tool);
    // A name rather than an address: TLS compares it with the certificate.
    command.args(flags).args(["-aec", called, "localhost", &port.to_string()]).stdin(Stdio::null());
    command
}

/// Pushes with storescu.
pub fn storescu(port: u16, flags: &[&str], paths: &[&Path]) -> Output {
    dcmtk_tool("storescu", port, "OVERREAD", flags).args(paths).output().unwrap()
}

/// Everything a process said.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A file as a sender sees it.
pub struct Object {
    pub class: String,
    pub uid: String,
    pub syntax: String,
    data_set: Vec<u8>,
}

impl Object {
    /// Reads a file; `None` if it is none that could be sent.
    pub fn read(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let part10 = part10::read(&bytes).ok()?;
        let (class, uid) =
            (uid_of(&part10.header, tags::SOP_CLASS_UID)?, uid_of(&part10.header, tags::SOP_INSTANCE_UID)?);
        let syntax = part10.syntax.uid.clone();
        // Behind the file meta information, whose first element says how long it is.
        let is_file = bytes.get(128..132) == Some(b"DICM") && bytes.get(132..136) == Some(&[2, 0, 0, 0]);
        let length = u32::from_le_bytes(bytes.get(140..144)?.try_into().ok()?);
        let data_set = bytes.get(144 + length as usize..).filter(|_| is_file)?.to_vec();
        Some(Self { class, uid, syntax, data_set })
    }
}

/// An association of our own.
pub struct Sender {
    association: ClientAssociation<TcpStream>,
    message: u16,
}

impl Sender {
    pub fn open(port: u16, class: &str, syntax: &str) -> Self {
        let association = ClientAssociationOptions::new()
            .calling_ae_title("OURSENDER")
            .called_ae_title("OVERREAD")
            .with_presentation_context(class.to_owned(), vec![syntax.to_owned()])
            .establish(("127.0.0.1", port))
            .unwrap_or_else(|error| panic!("{class} {syntax}: {error}"));
        Self { association, message: 0 }
    }

    /// Pushes an object; gives the status and the comment.
    pub fn store(&mut self, object: &Object) -> (u16, Option<String>) {
        self.send(&self.announcement(object), None);
        self.send_data(&object.data_set, true);
        let (response, _) = self.receive();
        (response.read_number(Element::STATUS).unwrap(), response.read_comment())
    }

    /// Announces an object, sends the beginning of it, and hangs up.
    pub fn break_off(mut self, object: &Object) {
        self.send(&self.announcement(object), None);
        self.send_data(&object.data_set[..object.data_set.len() / 2], false);
    }

    fn announcement(&self, object: &Object) -> CommandSet {
        CommandSet::new(field::C_STORE_RQ)
            .with_data_set()
            .number(Element::MESSAGE_ID, self.message)
            .uid(Element::AFFECTED_SOP_CLASS_UID, &object.class)
            .uid(Element::AFFECTED_SOP_INSTANCE_UID, &object.uid)
    }

    /// Sends a message.
    pub fn send(&mut self, command: &CommandSet, data_set: Option<&[u8]>) {
        self.message += 1;
        self.send_value(PDataValueType::Command, command.to_bytes(), true);
        if let Some(data_set) = data_set {
            self.send_data(data_set, true);
        }
    }

    fn send_data(&mut self, data_set: &[u8], ends: bool) {
        let mut chunks = data_set.chunks(16_000).peekable();
        while let Some(chunk) = chunks.next() {
            let is_last = ends && chunks.peek().is_none();
            self.send_value(PDataValueType::Data, chunk.to_vec(), is_last);
        }
    }

    fn send_value(&mut self, value_type: PDataValueType, data: Vec<u8>, is_last: bool) {
        let value = PDataValue { presentation_context_id: 1, value_type, is_last, data };
        self.association.send(&Pdu::PData { data: vec![value] }).unwrap();
    }

    /// Receives a message with its data set, if it has one.
    pub fn receive(&mut self) -> (CommandSet, Vec<u8>) {
        let (mut command, mut data_set) = (Vec::new(), Vec::new());
        loop {
            let Pdu::PData { data } = self.association.receive().unwrap() else { panic!("no message") };
            for value in data {
                match value.value_type {
                    PDataValueType::Command => command.extend(value.data),
                    PDataValueType::Data => data_set.extend(value.data),
                }
                let Ok(read) = CommandSet::read(&command) else { continue };
                let awaits_data = read.has_data_set() && value.value_type == PDataValueType::Command;
                if value.is_last && !awaits_data {
                    return (read, data_set);
                }
            }
        }
    }

    pub fn release(self) {
        self.association.release().unwrap();
    }
}

/// An Orthanc with nothing in it that knows one neighbour, `overread`.
pub struct Orthanc {
    _process: Killed,
    port: u16,
}

impl Orthanc {
    /// `None`, said aloud, where it is not installed; CI must have it.
    pub fn start(folder: &Path, neighbour: u16) -> Option<Self> {
        let program = ["/usr/sbin/Orthanc", "/usr/bin/Orthanc"].into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program else {
            assert!(std::env::var_os("CI").is_none(), "CI needs Orthanc");
            eprintln!("SKIPPED: Orthanc is not here and pushed nothing");
            return None;
        };
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (http, dicom) = (free(), free());
        let storage = folder.join("orthanc");
        std::fs::create_dir(&storage).unwrap();
        let configuration = serde_json::json!({
            "StorageDirectory": storage, "IndexDirectory": storage, "Plugins": [],
            "HttpPort": http, "DicomPort": dicom, "DicomAet": "ORTHANC",
            "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
            "DicomModalities": {"overread": ["OVERREAD", "127.0.0.1", neighbour]},
        });
        let file = folder.join("orthanc.json");
        std::fs::write(&file, configuration.to_string()).unwrap();
        let process = Command::new(program).arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let orthanc = Self { _process: Killed(process), port: http };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", http)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "Orthanc does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(orthanc)
    }

    /// Posts to its REST API; gives the document of the answer.
    pub fn post(&self, path: &str, body: &[u8]) -> serde_json::Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, document) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.lines().next().unwrap().contains(" 200 "), "{path}: {answer}");
        serde_json::from_str(document).unwrap()
    }
}
