using Microsoft.AspNetCore.Http.Json;

namespace PoolApi.Problems;

/// <summary>Every error is problem details.</summary>
internal static class ProblemsSetup
{
    public static void AddProblems(this IServiceCollection services)
    {
        services.AddProblemDetails();
        // The first that can write does, and the framework's own has been added already.
        services.Insert(0, ServiceDescriptor.Singleton<IProblemDetailsWriter, ProblemWriter>());
        services.AddExceptionHandler<ExceptionResponses>();
        // Bad requests reach ExceptionResponses, which says more than an empty 400.
        services.Configure<RouteHandlerOptions>(static options => options.ThrowOnBadRequest = true);
        services.Configure<JsonOptions>(static options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, ProblemJson.Default));
    }
}
