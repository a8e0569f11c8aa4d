using Microsoft.AspNetCore.Http.Json;

namespace PoolApi.Problems;

/// <summary>Every error is problem details.</summary>
internal static class ProblemsSetup
{
    public static void AddProblems(this IServiceCollection services)
    {
        services.AddProblemDetails();
        // The first writer that can write is used. The framework's own is registered already, so ours goes in front of it.
        services.Insert(0, ServiceDescriptor.Singleton<IProblemDetailsWriter, ProblemWriter>());
        services.AddExceptionHandler<ExceptionResponses>();
        // Bad requests reach ExceptionResponses, whose response has more details than an empty 400.
        services.Configure<RouteHandlerOptions>(static options => options.ThrowOnBadRequest = true);
        services.Configure<JsonOptions>(static options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, ProblemJson.Default));
    }
}
