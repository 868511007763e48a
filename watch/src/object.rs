//! Objects of a kind that is named where they are asked for, and not by their type.

/// Makes a type a [`kube::Resource`] of whatever kind an [`ApiResource`](kube::api::ApiResource) names. It has its metadata in a field `metadata`.
#[macro_export]
macro_rules! resource_of_any_kind {
    ($object:ty) => {
        impl ::kube::Resource for $object {
            type DynamicType = ::kube::api::ApiResource;
            type Scope = ::kube::core::DynamicResourceScope;

            fn group(resource: &::kube::api::ApiResource) -> ::std::borrow::Cow<'_, str> {
                resource.group.as_str().into()
            }

            fn version(resource: &::kube::api::ApiResource) -> ::std::borrow::Cow<'_, str> {
                resource.version.as_str().into()
            }

            fn kind(resource: &::kube::api::ApiResource) -> ::std::borrow::Cow<'_, str> {
                resource.kind.as_str().into()
            }

            fn api_version(resource: &::kube::api::ApiResource) -> ::std::borrow::Cow<'_, str> {
                resource.api_version.as_str().into()
            }

            fn plural(resource: &::kube::api::ApiResource) -> ::std::borrow::Cow<'_, str> {
                resource.plural.as_str().into()
            }

            fn meta(&self) -> &::kube::api::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ::kube::api::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}
