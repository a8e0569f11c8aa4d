using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using PoolApi.AspNetCore.Endpoints;

namespace PoolApi.AspNetCore.Mvc;

/// <summary>
/// Adds the pool's problem responses to the API descriptions of endpoints that have only <see cref="RunOnPoolAttribute"/>. Endpoints with
/// <c>RunOnPool()</c> have these responses in their metadata, but an attribute cannot add metadata.
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
            if (!metadata.Any(static m => m is RunOnPoolAttribute) || PoolEndpoint.HasOwn(metadata, description.ActionDescriptor.DisplayName)) continue;
            foreach (int status in PoolEndpoint.ProblemsOf(metadata, description.ActionDescriptor.DisplayName, services))
            {
                if (description.SupportedResponseTypes.Any(r => r.StatusCode == status)) continue;
                description.SupportedResponseTypes.Add(new ApiResponseType
                {
                    StatusCode = status,
                    Type = typeof(ProblemDetails),
                    ApiResponseFormats = [new ApiResponseFormat { MediaType = PoolEndpoint.ProblemMediaType }],
                });
            }
        }
    }
}
