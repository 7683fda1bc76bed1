//! Services that can only answer once the node belongs to a cluster, while their server runs before.

use std::sync::{Arc, OnceLock};

use proto::ingest::ingest_server::Ingest;
use proto::select::select_server::Select;
use proto::{ingest, select};
use tonic::{Request, Response, Status, Streaming};
use transport::{ErrorKind, RpcError};

use crate::ingest_service::IngestService;
use crate::select_service::SelectService;

/// Both services, once they are there.
#[derive(Clone)]
pub(crate) struct Late {
    ingest: LateService<IngestService>,
    select: LateService<SelectService>,
}

/// A service that comes later.
pub(crate) struct LateService<S>(Arc<OnceLock<S>>);

impl<S> Clone for LateService<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Late {
    pub(crate) fn new() -> Self {
        Self { ingest: LateService(Arc::default()), select: LateService(Arc::default()) }
    }

    pub(crate) fn ingest(&self) -> LateService<IngestService> {
        self.ingest.clone()
    }

    pub(crate) fn select(&self) -> LateService<SelectService> {
        self.select.clone()
    }

    /// From now on requests are answered.
    pub(crate) fn set(&self, ingest: IngestService, select: SelectService) {
        let first = self.ingest.0.set(ingest).is_ok() && self.select.0.set(select).is_ok();
        debug_assert!(first, "a node has its services once");
    }
}

impl<S> LateService<S> {
    fn get(&self) -> Result<&S, RpcError> {
        let early = || RpcError::new(ErrorKind::Unavailable, "this node does not belong to a cluster yet");
        self.0.get().ok_or_else(early)
    }
}

#[tonic::async_trait]
impl Ingest for LateService<IngestService> {
    type AppendStream = <IngestService as Ingest>::AppendStream;

    async fn append(
        &self,
        request: Request<Streaming<ingest::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        self.get()?.append(request).await
    }

    async fn read_index(
        &self,
        request: Request<ingest::ReadIndexRequest>,
    ) -> Result<Response<ingest::ReadIndexReply>, Status> {
        self.get()?.read_index(request).await
    }

    async fn change_replicas(
        &self,
        request: Request<ingest::ChangeReplicasRequest>,
    ) -> Result<Response<ingest::ChangeReplicasReply>, Status> {
        self.get()?.change_replicas(request).await
    }

    async fn transfer_leader(
        &self,
        request: Request<ingest::TransferLeaderRequest>,
    ) -> Result<Response<ingest::TransferLeaderReply>, Status> {
        self.get()?.transfer_leader(request).await
    }

    async fn give_slot(
        &self,
        request: Request<ingest::GiveSlotRequest>,
    ) -> Result<Response<ingest::GiveSlotReply>, Status> {
        self.get()?.give_slot(request).await
    }

    async fn adopt_slot(
        &self,
        request: Request<ingest::AdoptSlotRequest>,
    ) -> Result<Response<ingest::AdoptSlotReply>, Status> {
        self.get()?.adopt_slot(request).await
    }
}

#[tonic::async_trait]
impl Select for LateService<SelectService> {
    type SelectStream = <SelectService as Select>::SelectStream;

    async fn select(&self, request: Request<select::SelectRequest>) -> Result<Response<Self::SelectStream>, Status> {
        self.get()?.select(request).await
    }

    async fn label_names(
        &self,
        request: Request<select::LabelsRequest>,
    ) -> Result<Response<select::LabelsReply>, Status> {
        self.get()?.label_names(request).await
    }

    async fn label_values(
        &self,
        request: Request<select::LabelsRequest>,
    ) -> Result<Response<select::LabelsReply>, Status> {
        self.get()?.label_values(request).await
    }

    async fn metadata(
        &self,
        request: Request<select::MetadataRequest>,
    ) -> Result<Response<select::MetadataReply>, Status> {
        self.get()?.metadata(request).await
    }

    async fn exemplars(
        &self,
        request: Request<select::ExemplarsRequest>,
    ) -> Result<Response<select::ExemplarsReply>, Status> {
        self.get()?.exemplars(request).await
    }
}
