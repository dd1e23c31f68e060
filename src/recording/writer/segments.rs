use super::super::RecordedShard;
use super::super::codec::{PreviousSegment, ShardFrame};
use super::super::frame::Kind;
use super::Writer;
use crate::error::{Error, Result};
use crate::shard::{ShardIdentity, ShardInfo};

/// Shards: which are there, and whose records come next.
impl Writer {
    pub(super) fn remember(&mut self, identity: &ShardIdentity, position: usize) {
        let known = self.known.entry(identity.hash).or_default();
        known.push((identity.clone(), position));
    }

    /// Positions of what is recorded of a shard that has or had an identity.
    pub(in crate::recording) fn recorded_as<'a>(
        &'a self,
        identity: &'a ShardIdentity,
    ) -> impl Iterator<Item = usize> + 'a {
        let known = self.known.get(&identity.hash).into_iter().flatten();
        known.filter(move |(it, _)| it == identity).map(|(_, position)| *position)
    }

    /// Where records of the shard at a position must end because what follows is recorded already.
    pub(super) fn limit_of(&self, shard: usize) -> u64 {
        let Some(RecordedShard { info, records }) = self.shards.get(shard) else { return 0 };
        let others = self.recorded_as(&info.identity).filter_map(|it| self.shards.get(it));
        let starts = others.map(|it| it.records.start).filter(|&start| start > records.start);
        starts.fold(info.identity.records, u64::min)
    }

    /// Makes a shard the current one, from one of its records on, and gives its position in the
    /// list of shards.
    ///
    /// # Errors
    /// [`Recording`](crate::error::ErrorKind::Recording) if that record is in the recording already
    /// or is the next of a shard that could be continued,
    /// [`Internal`](crate::error::ErrorKind::Internal) if the shard has no such record,
    /// [`Io`](crate::error::ErrorKind::Io) if the recording cannot be written.
    pub fn begin_shard(&mut self, info: &ShardInfo, first_record: u64) -> Result<usize> {
        if first_record > info.identity.records {
            return Err(Error::internal(format!(
                "shard {} is to begin at record {first_record}, and has {}",
                info.name, info.identity.records
            )));
        }
        let is_there =
            |it: &&RecordedShard| (it.records.start..=it.records.end).contains(&first_record);
        let same = self.recorded_as(&info.identity).filter_map(|it| self.shards.get(it));
        if let Some(same) = { same }.find(is_there) {
            return Err(Error::recording(format!(
                "{}: shard {} has the content of shard {}, which is recorded already",
                self.log.name().display(),
                info.name,
                same.info.name
            ))
            .with_hint("give each shard once"));
        }
        let shard = self.shards.len();
        self.start_segment(shard, first_record, info)?;
        let records = first_record..first_record;
        self.shards.push(RecordedShard { info: info.clone(), records });
        self.remember(&info.identity, shard);
        self.limit = self.limit_of(shard);
        Ok(shard)
    }

    /// Makes the shard at a position the current one; it goes on after its recorded
    /// [`records`](RecordedShard::records). `info` may say that it has grown, which the caller
    /// has checked.
    ///
    /// # Errors
    /// [`Recording`](crate::error::ErrorKind::Recording) if it is another shard,
    /// [`Internal`](crate::error::ErrorKind::Internal) for a position that is not there,
    /// [`Io`](crate::error::ErrorKind::Io) if the recording cannot be written.
    pub fn continue_shard(&mut self, shard: usize, info: &ShardInfo) -> Result<()> {
        let recorded = self.shards.get(shard).ok_or_else(|| {
            Error::internal(format!("shard {shard} is to be continued, and there is none"))
        })?;
        let (old, new) = (&recorded.info.identity, &info.identity);
        if old != new && (old.inputs != new.inputs || old.records >= new.records) {
            return Err(Error::recording(format!(
                "{}: shard {} is not the one recorded as {}: {} records, not {}, or other content",
                self.log.name().display(),
                info.name,
                recorded.info.name,
                new.records,
                old.records
            ))
            .with_hint("record changed shards into another recording"));
        }
        if recorded.info == *info && self.segment.is_some_and(|(_, current)| current == shard) {
            return Ok(());
        }
        self.start_segment(shard, recorded.records.end, info)?;
        if let Some(recorded) = self.shards.get_mut(shard) {
            let grown = recorded.info.identity != info.identity;
            recorded.info.clone_from(info);
            if grown {
                self.remember(&info.identity, shard);
            }
        }
        self.limit = self.limit_of(shard);
        Ok(())
    }

    /// Writes a Shard frame. Records that wait belong to the shard before.
    fn start_segment(&mut self, shard: usize, first_record: u64, info: &ShardInfo) -> Result<()> {
        self.write_histograms()?;
        let frame = ShardFrame {
            shard: u32::try_from(shard).map_err(|_| Error::recording("too many shards"))?,
            first_record,
            info: info.clone(),
            previous: self.previous_segment(),
        };
        let offset = self.append(Kind::Shard, &frame, &[])?;
        self.segment = Some((offset, shard));
        self.uncommitted = true;
        if let Some(histograms) = &mut self.histograms {
            histograms.start(first_record);
        }
        Ok(())
    }

    pub(super) fn previous_segment(&self) -> Option<PreviousSegment> {
        let (offset, shard) = self.segment?;
        let next_record = self.shards.get(shard)?.records.end;
        Some(PreviousSegment { offset, next_record })
    }
}
