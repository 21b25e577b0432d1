//! `process_*` and `host_*`: what the system says about this process and its machine, read when somebody
//! scrapes.
//!
//! All but the space of file systems comes from `/proc`; on a system without it nothing else is shown. Device
//! names are few on a machine, but containers can have many, so at most [`DEVICES_MAX`] of a kind are shown.

use std::{fmt, fs, io, path::PathBuf};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit as Suffix,
};

use super::metrics::{Declared, Kind, Metrics, Unit, full_name};

const DEVICES_MAX: usize = 32;
/// The kernel counts processor time in hundredths of a second towards programs, whatever its own tick.
const TICKS_PER_S: f64 = 100.0;
/// Sectors of `/proc/diskstats` have this size on every device.
const SECTOR_BYTES: f64 = 512.0;

/// A metric shown here: its declaration and where its values come from.
struct Shown {
    name: &'static str,
    kind: Kind,
    unit: Unit,
    help: &'static str,
    labels: &'static [&'static str],
}

const fn shown(
    name: &'static str,
    kind: Kind,
    unit: Unit,
    help: &'static str,
    labels: &'static [&'static str],
) -> Shown {
    Shown { name, kind, unit, help, labels }
}

const PROCESS_CPU: Shown =
    shown("process_cpu", Kind::Counter, Unit::Seconds, "Processor time used", &[]);
const PROCESS_RESIDENT: Shown =
    shown("process_resident_memory", Kind::Gauge, Unit::Bytes, "Memory in use", &[]);
const PROCESS_FDS: Shown =
    shown("process_open_fds", Kind::Gauge, Unit::None, "Open file descriptors", &[]);
const PROCESS_FDS_MAX: Shown =
    shown("process_max_fds", Kind::Gauge, Unit::None, "File descriptors there may be", &[]);
const PROCESS_THREADS: Shown = shown("process_threads", Kind::Gauge, Unit::None, "Threads", &[]);
const PROCESS_START: Shown = shown(
    "process_start_time",
    Kind::Gauge,
    Unit::Seconds,
    "Start, in seconds since the Unix epoch",
    &[],
);
const HOST_CPU: Shown =
    shown("host_cpu", Kind::Counter, Unit::Seconds, "Processor time by mode", &["mode"]);
const HOST_CPUS: Shown = shown("host_cpus", Kind::Gauge, Unit::None, "Processors", &[]);
const HOST_LOAD: Shown =
    shown("host_load1", Kind::Gauge, Unit::None, "Runnable tasks, mean of a minute", &[]);
const HOST_MEMORY: Shown =
    shown("host_memory_total", Kind::Gauge, Unit::Bytes, "Memory of the machine", &[]);
const HOST_MEMORY_FREE: Shown =
    shown("host_memory_available", Kind::Gauge, Unit::Bytes, "Memory that can be had", &[]);
const HOST_DISK_READ: Shown =
    shown("host_disk_read", Kind::Counter, Unit::Bytes, "Read from the device", &["device"]);
const HOST_DISK_WRITTEN: Shown =
    shown("host_disk_written", Kind::Counter, Unit::Bytes, "Written to the device", &["device"]);
const HOST_DISK_BUSY: Shown =
    shown("host_disk_busy", Kind::Counter, Unit::Seconds, "Time with work to do", &["device"]);
const HOST_NET_IN: Shown =
    shown("host_network_receive", Kind::Counter, Unit::Bytes, "Received", &["device"]);
const HOST_NET_OUT: Shown =
    shown("host_network_transmit", Kind::Counter, Unit::Bytes, "Sent", &["device"]);

const HOST_FS_SIZE: Shown =
    shown("host_filesystem_size", Kind::Gauge, Unit::Bytes, "Size of the file system", &["path"]);
const HOST_FS_FREE: Shown = shown(
    "host_filesystem_available",
    Kind::Gauge,
    Unit::Bytes,
    "Space that can be written",
    &["path"],
);

const ALL: [&Shown; 18] = [
    &PROCESS_CPU,
    &PROCESS_RESIDENT,
    &PROCESS_FDS,
    &PROCESS_FDS_MAX,
    &PROCESS_THREADS,
    &PROCESS_START,
    &HOST_CPU,
    &HOST_CPUS,
    &HOST_LOAD,
    &HOST_MEMORY,
    &HOST_MEMORY_FREE,
    &HOST_DISK_READ,
    &HOST_DISK_WRITTEN,
    &HOST_DISK_BUSY,
    &HOST_NET_IN,
    &HOST_NET_OUT,
    &HOST_FS_SIZE,
    &HOST_FS_FREE,
];

/// Adds `process_*` and `host_*` to the metrics. Reading them costs about a millisecond per scrape.
///
/// `folders` are those whose file systems must not fill up, such as the data folder.
pub fn register_system_metrics(metrics: &Metrics, folders: Vec<PathBuf>) {
    let declared = ALL.iter().map(|shown| Declared {
        name: full_name(shown.name, shown.unit, shown.kind),
        kind: shown.kind,
        unit: shown.unit,
        help: shown.help,
        labels: shown.labels,
    });
    metrics.collect(declared.collect(), Box::new(System { folders }));
}

#[derive(Debug)]
struct System {
    folders: Vec<PathBuf>,
}

impl Collector for System {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for (shown, values) in read(&self.folders) {
            if !values.is_empty() {
                encode(&mut encoder, shown, &values)?;
            }
        }
        Ok(())
    }
}

/// A value and its label's value.
type Value = (Option<String>, f64);
type Values = Vec<(&'static Shown, Vec<Value>)>;

fn encode(encoder: &mut DescriptorEncoder, shown: &Shown, values: &[Value]) -> fmt::Result {
    let suffix = shown.unit.suffix().map(|unit| Suffix::Other(unit.to_owned()));
    let kind = match shown.kind {
        Kind::Counter => ConstCounter::new(0.0).metric_type(),
        Kind::Gauge | Kind::Histogram => ConstGauge::new(0.0).metric_type(),
    };
    let help = format!("{}.", shown.help);
    let mut metric = encoder.encode_descriptor(shown.name, &help, suffix.as_ref(), kind)?;
    for (label, value) in values {
        match (shown.labels.first().copied().zip(label.as_deref()), shown.kind) {
            (Some(label), Kind::Counter) => {
                ConstCounter::new(*value).encode(metric.encode_family(&[label])?)?;
            }
            (Some(label), _) => {
                ConstGauge::new(*value).encode(metric.encode_family(&[label])?)?;
            }
            (None, Kind::Counter) => {
                metric.encode_counter::<NoLabelSet, _, u64>(value, None)?;
            }
            (None, _) => metric.encode_gauge(value)?,
        }
    }
    Ok(())
}

/// All that can be read now; a part that cannot is left out.
fn read(folders: &[PathBuf]) -> Values {
    let mut values = Vec::with_capacity(ALL.len());
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let stat = text("/proc/stat");
    process(&text("/proc/self/stat"), &text("/proc/self/status"), &stat, &mut values);
    values.push((&PROCESS_FDS, one(open_fds().ok())));
    values.push((&PROCESS_FDS_MAX, one(fds_max(&text("/proc/self/limits")))));
    host_cpu(&stat, &mut values);
    let load = text("/proc/loadavg");
    values.push((&HOST_LOAD, one(load.split(' ').next().and_then(|load| load.parse().ok()))));
    let memory = text("/proc/meminfo");
    values.push((&HOST_MEMORY, one(kib(&memory, "MemTotal:"))));
    values.push((&HOST_MEMORY_FREE, one(kib(&memory, "MemAvailable:"))));
    disks(&text("/proc/diskstats"), &mut values);
    network(&text("/proc/net/dev"), &mut values);
    space(folders, &mut values);
    values
}

fn one(value: Option<f64>) -> Vec<Value> {
    value.map(|value| (None, value)).into_iter().collect()
}

/// The number after `name` in a file of lines like `VmRSS:   123 kB`, in bytes.
fn kib(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0)
}

fn process(stat: &str, status: &str, host_stat: &str, values: &mut Values) {
    // The second field is the program's name in parentheses and may hold anything; fields are counted after it.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace());
    let fields = fields.map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    let field = |at: usize| fields.get(at)?.parse::<f64>().ok();
    let cpu = field(11).zip(field(12)).map(|(user, system)| (user + system) / TICKS_PER_S);
    let boot = host_stat.lines().find_map(|line| line.strip_prefix("btime "));
    let boot = boot.and_then(|boot| boot.trim().parse::<f64>().ok());
    let start = boot.zip(field(19)).map(|(boot, ticks)| boot + ticks / TICKS_PER_S);
    values.push((&PROCESS_CPU, one(cpu)));
    values.push((&PROCESS_RESIDENT, one(kib(status, "VmRSS:"))));
    values.push((&PROCESS_THREADS, one(field(17))));
    values.push((&PROCESS_START, one(start)));
}

fn open_fds() -> io::Result<f64> {
    // The listing itself has one open.
    Ok(fs::read_dir("/proc/self/fd")?.count().saturating_sub(1) as f64)
}

fn fds_max(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn host_cpu(stat: &str, values: &mut Values) {
    const MODES: [&str; 8] =
        ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let modes = MODES.iter().zip(all.split_whitespace()).filter_map(|(mode, ticks)| {
        Some((Some((*mode).to_owned()), ticks.parse::<f64>().ok()? / TICKS_PER_S))
    });
    values.push((&HOST_CPU, modes.collect()));
    let is_cpu = |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| !rest.starts_with(' '));
    let cpus = stat.lines().filter(is_cpu).count();
    values.push((&HOST_CPUS, one((cpus > 0).then_some(cpus as f64))));
}

fn disks(diskstats: &str, values: &mut Values) {
    let (mut read, mut written, mut busy) = (Vec::new(), Vec::new(), Vec::new());
    for line in diskstats.lines() {
        let fields = line.split_whitespace().collect::<Vec<_>>();
        let [_, _, device, _, _, sectors_read, _, _, _, sectors_written, _, _, busy_ms, ..] =
            fields[..]
        else {
            continue;
        };
        let pretended = ["loop", "ram", "zram"].iter().any(|kind| device.starts_with(kind));
        if pretended || read.len() == DEVICES_MAX {
            continue;
        }
        let add = |to: &mut Vec<Value>, number: &str, factor: f64| {
            if let Ok(number) = number.parse::<f64>() {
                to.push((Some(device.to_owned()), number * factor));
            }
        };
        add(&mut read, sectors_read, SECTOR_BYTES);
        add(&mut written, sectors_written, SECTOR_BYTES);
        add(&mut busy, busy_ms, 1e-3);
    }
    values.extend([
        (&HOST_DISK_READ, read),
        (&HOST_DISK_WRITTEN, written),
        (&HOST_DISK_BUSY, busy),
    ]);
}

fn network(dev: &str, values: &mut Values) {
    let (mut received, mut sent) = (Vec::new(), Vec::new());
    for (device, counts) in dev.lines().filter_map(|line| line.split_once(':')).take(DEVICES_MAX) {
        let counts = counts.split_whitespace().map(str::parse::<f64>).collect::<Vec<_>>();
        if let (Some(Ok(bytes_in)), Some(Ok(bytes_out))) = (counts.first(), counts.get(8)) {
            received.push((Some(device.trim().to_owned()), *bytes_in));
            sent.push((Some(device.trim().to_owned()), *bytes_out));
        }
    }
    values.extend([(&HOST_NET_IN, received), (&HOST_NET_OUT, sent)]);
}

fn space(folders: &[PathBuf], values: &mut Values) {
    let (mut size, mut free) = (Vec::new(), Vec::new());
    for folder in folders.iter().take(DEVICES_MAX) {
        if let Ok(space) = rustix::fs::statvfs(folder) {
            let path = || Some(folder.display().to_string());
            size.push((path(), space.f_blocks as f64 * space.f_frsize as f64));
            free.push((path(), space.f_bavail as f64 * space.f_frsize as f64));
        }
    }
    values.extend([(&HOST_FS_SIZE, size), (&HOST_FS_FREE, free)]);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use super::*;

    fn value(values: &Values, shown: &Shown, label: Option<&str>) -> Option<f64> {
        let (_, values) = values.iter().find(|(found, _)| found.name == shown.name)?;
        values.iter().find(|(found, _)| found.as_deref() == label).map(|(_, value)| *value)
    }

    #[test]
    fn the_kernels_files_are_read_with_their_units() {
        let mut values = Values::new();
        let stat = "cpu  100 0 200 3000 5 0 0 0 0 0\ncpu0 50 0\ncpu1 50 0\nbtime 1000000\n";
        let own = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 12 0 500 1 2";
        process(own, "VmPeak: 9 kB\nVmRSS:\t 2048 kB\n", stat, &mut values);
        host_cpu(stat, &mut values);
        disks(
            " 8 0 sda 1 2 1000 4 5 6 2000 8 9 1500 11\n 7 0 loop0 1 2 3 4 5 6 7 8 9 10\n",
            &mut values,
        );
        network("Inter-| x\n face |bytes\n  eth0: 10 1 0 0 0 0 0 0 20 1 0\n", &mut values);
        assert_eq!(value(&values, &PROCESS_CPU, None), Some(3.0));
        assert_eq!(value(&values, &PROCESS_RESIDENT, None), Some(2_097_152.0));
        assert_eq!(value(&values, &PROCESS_THREADS, None), Some(12.0));
        assert_eq!(value(&values, &PROCESS_START, None), Some(1_000_005.0));
        assert_eq!(value(&values, &HOST_CPU, Some("idle")), Some(30.0));
        assert_eq!(value(&values, &HOST_CPUS, None), Some(2.0));
        assert_eq!(value(&values, &HOST_DISK_READ, Some("sda")), Some(512_000.0));
        assert_eq!(value(&values, &HOST_DISK_BUSY, Some("sda")), Some(1.5));
        assert_eq!(value(&values, &HOST_DISK_READ, Some("loop0")), None);
        assert_eq!(value(&values, &HOST_NET_OUT, Some("eth0")), Some(20.0));
    }

    #[test]
    fn files_that_are_missing_or_strange_leave_values_out() {
        let mut values = Values::new();
        process("", "", "", &mut values);
        host_cpu("cpu  x\n", &mut values);
        disks("short line\n", &mut values);
        network("eth0: 1\n", &mut values);
        assert!(values.iter().all(|(_, values)| values.is_empty()));
    }

    #[test]
    fn this_process_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        let values = read(&[folder.path().into(), "/no/such/folder".into()]);
        let size = value(&values, &HOST_FS_SIZE, Some(&path)).unwrap();
        let free = value(&values, &HOST_FS_FREE, Some(&path)).unwrap();
        assert!(size >= free && free > 0.0);
        assert_eq!(value(&values, &HOST_FS_FREE, Some("/no/such/folder")), None);
        assert!(value(&values, &PROCESS_RESIDENT, None).unwrap() > 1e6);
        assert!(value(&values, &PROCESS_FDS, None).unwrap() >= 3.0);
        assert!(value(&values, &PROCESS_FDS_MAX, None).unwrap() >= 3.0);
    }
}
