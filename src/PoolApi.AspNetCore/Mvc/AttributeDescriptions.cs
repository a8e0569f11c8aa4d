using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using PoolApi.AspNetCore.Endpoints;

namespace PoolApi.AspNetCore.Mvc;

/// <summary>
/// Adds what the pool may answer to the descriptions of endpoints that name their pool by <see cref="RunOnPoolAttribute"/> alone. Those
/// that conventions put on a pool have it in their metadata; an attribute cannot add metadata beside itself.
/// </summary>
internal sealed class AttributeDescriptions(IServiceProvider services) : IApiDescriptionProvider
{
    public int Order => 0;

    public void OnProvidersExecuting(ApiDescriptionProviderContext context)
    {
    }

    public void OnProvidersExecuted(ApiDescriptionProviderContext context)
    {
        foreach (ApiDescription description in context.Results)
        {
            IList<object> metadata = description.ActionDescriptor.EndpointMetadata ?? [];
            if (!metadata.Any(static m => m is RunOnPoolAttribute) || metadata.Any(static m => m is PoolEndpoint)) continue;
            foreach (int status in PoolEndpoint.ProblemsOf(metadata, description.ActionDescriptor.DisplayName, services))
            {
                if (description.SupportedResponseTypes.Any(r => r.StatusCode == status)) continue;
                description.SupportedResponseTypes.Add(new ApiResponseType
                {
                    StatusCode = status,
                    Type = typeof(ProblemDetails),
                    ApiResponseFormats = [new ApiResponseFormat { MediaType = PoolEndpoint.ProblemType }],
                });
            }
        }
    }
}
