using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using PoolApi.AspNetCore;
using PoolApi.Threading;

namespace NativeAot;

/// <summary>
/// An app that is published as one native program: handlers of minimal APIs, the attribute, lazy results and a branch of middleware on a pool.
/// <c>dotnet publish -c Release samples/NativeAot</c>; then <c>GET /handler/7</c> returns the name of the thread of its handler.
/// </summary>
public static class Program
{
    public static async Task Main(string[] args)
    {
        await using WebApplication app = Build(args);
        await app.RunAsync();
    }

    /// <summary>The app, not started.</summary>
    public static WebApplication Build(string[] args)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(args);
        builder.Services.AddFixedThreadPool("cpu", static o => o.Workers = 2);
        builder.Services.AddFixedThreadPool("io", static o => o.Workers = 2);
        builder.Services.ConfigureHttpJsonOptions(static o => o.SerializerOptions.TypeInfoResolverChain.Insert(0, AppJson.Default));
        WebApplication app = builder.Build();
        app.UseFixedThreadPool("/legacy", "io");
        app.MapGet("/handler/{id:int}", static (int id) => new Answer(id, Here())).RunOnPool();
        app.MapPost("/body", static (Answer answer) => answer with { Thread = Here() }).RunOnPool("io", static o => o.Priority = WorkPriority.High);
        app.MapPost("/attribute", [RunOnPool("io")] static (Answer answer) => answer with { Thread = Here() });
        app.MapGet("/lazy", Results<Ok<IEnumerable<string>>, NotFound> () => TypedResults.Ok(Lazy())).RunOnPool();
        app.Map("/legacy", static branch => branch.Run(static context => context.Response.WriteAsync(Here(), context.RequestAborted)));
        app.MapPoolHealth();
        return app;
    }

    private static IEnumerable<string> Lazy()
    {
        for (int i = 0; i < 2; i++) yield return Here();
    }

    /// <summary>The name of the pool's worker, or "server" on a thread of the .NET ThreadPool.</summary>
    private static string Here() => Thread.CurrentThread.IsThreadPoolThread ? "server" : Thread.CurrentThread.Name ?? "elsewhere";
}

public sealed record Answer(int Id, string Thread);

[JsonSerializable(typeof(Answer))]
[JsonSerializable(typeof(IEnumerable<string>))]
internal sealed partial class AppJson : JsonSerializerContext;
