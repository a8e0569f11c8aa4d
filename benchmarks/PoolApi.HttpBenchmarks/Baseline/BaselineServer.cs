using System.Globalization;
using System.Security.Cryptography;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace PoolApi.HttpBenchmarks.Baseline;

/// <summary>A server as one would write it without PoolApi: the same work behind the same kind of routes.</summary>
internal static class BaselineServer
{
    /// <summary>The command that makes the program run as this server. Its arguments are MODE PORT WORKERS.</summary>
    public const string Command = "--serve";

    private const string Policy = "work";
    private const int LimiterQueue = 64;

    public static void Run(ReadOnlySpan<string> args)
    {
        if (args is not [var modeName, var portText, var workersText] || !Enum.TryParse(modeName, ignoreCase: true, out BaselineMode mode))
            throw new FormatException($"{Command} takes a mode, a port and a number of workers.");
        int port = int.Parse(portText, CultureInfo.InvariantCulture), workers = int.Parse(workersText, CultureInfo.InvariantCulture);

        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        if (mode == BaselineMode.Limiter) AddLimiter(builder.Services, workers);
        WebApplication app = builder.Build();
        if (mode == BaselineMode.Limiter) app.UseRateLimiter();
        if (mode == BaselineMode.Bare)
        {
            app.Run(new BareHop(workers).ServeAsync);
            app.Run();
            return;
        }

        Func<Action, Task> run = Runner(mode, workers);
        Map("/sleep", static n => Thread.Sleep(n));
        Map("/hash", static n => Rfc2898DeriveBytes.Pbkdf2(
            "correct horse battery staple"u8, "0123456789abcdef"u8, n, HashAlgorithmName.SHA256, 32));
        Map("/noop", static _ => { });
        app.MapGet("/plain", static () => "done\n");
        app.MapGet("/healthz", static () => "ok\n");
        app.Run();

        void Map(string path, Action<int> work)
        {
            RouteHandlerBuilder route = app.MapGet(path, async (int n = 0) =>
            {
                await run(() => work(n));
                return "done\n";
            });
            if (mode == BaselineMode.Limiter) route.RequireRateLimiting(Policy);
        }
    }

    private static void AddLimiter(IServiceCollection services, int workers) => services.AddRateLimiter(limiter =>
    {
        limiter.RejectionStatusCode = StatusCodes.Status503ServiceUnavailable;
        limiter.AddConcurrencyLimiter(Policy, policy =>
        {
            policy.PermitLimit = workers;
            policy.QueueLimit = LimiterQueue;
            policy.QueueProcessingOrder = QueueProcessingOrder.OldestFirst;
        });
    });

    private static Func<Action, Task> Runner(BaselineMode mode, int workers)
    {
        switch (mode)
        {
            case BaselineMode.TaskRun:
                return Task.Run;
            case BaselineMode.Semaphore:
                var semaphore = new SemaphoreSlim(workers);
                return async work =>
                {
                    await semaphore.WaitAsync();
                    try
                    {
                        await Task.Run(work);
                    }
                    finally
                    {
                        semaphore.Release();
                    }
                };
            case BaselineMode.Textbook:
                return new TextbookPool(workers).RunAsync;
            case BaselineMode.Channel:
                return new ChannelPool(workers).RunAsync;
            case BaselineMode.Inline or BaselineMode.Limiter:
                return static work =>
                {
                    work();
                    return Task.CompletedTask;
                };
            default:
                throw new ArgumentOutOfRangeException(nameof(mode));
        }
    }
}
