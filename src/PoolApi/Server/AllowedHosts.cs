using Microsoft.AspNetCore.HostFiltering;
using Microsoft.Extensions.Options;
using PoolApi.Management;
using PoolApi.Problems;
using PoolApi.Settings;

namespace PoolApi.Server;

/// <summary>Answers requests to the API only under the host names of <c>AllowedHosts</c>.</summary>
/// <remarks>
/// The framework's own filter comes before everything else and would refuse probes too, which use an IP address. So it gets no names, and the
/// same middleware runs here, after the routing, for every route that is no management route.
/// </remarks>
internal static class AllowedHosts
{
    private const string Key = "AllowedHosts";

    /// <summary>Makes the framework's own filter accept every host.</summary>
    public static void AddAllowedHosts(this IServiceCollection services) =>
        services.Configure<HostFilteringOptions>(static options => options.AllowedHosts = ["*"]);

    public static void UseAllowedHosts(this WebApplication app)
    {
        if (FrameworkSettings.Value(app.Configuration, Key) is not { } text) return;
        var options = new Fixed(new HostFilteringOptions
        {
            AllowedHosts = [.. text.Split(';', StringSplitOptions.RemoveEmptyEntries)],
            IncludeFailureMessage = false,
        });
        ILogger<HostFilteringMiddleware> log = app.Services.GetRequiredService<ILogger<HostFilteringMiddleware>>();
        Listeners listeners = app.Services.GetRequiredService<Listeners>();
        app.Use(rest =>
        {
            var passed = new object();
            var filter = new HostFilteringMiddleware(
                context =>
                {
                    context.Items[passed] = passed;
                    return rest(context);
                },
                log,
                options);
            return context => IsManagement(context, listeners) ? rest(context) : FilterAsync(context, filter, passed);
        });
    }

    private static async Task FilterAsync(HttpContext context, HostFilteringMiddleware filter, object passed)
    {
        await filter.Invoke(context);
        if (context.Items.ContainsKey(passed)) return;
        const string Fault = "The header Host names a host that this service does not answer for.";
        await Problem.InvalidRequest(context, new Dictionary<string, string[]> { ["Host"] = [Fault] }).ExecuteAsync(context);
    }

    private static bool IsManagement(HttpContext context, Listeners listeners) =>
        context.GetEndpoint()?.Metadata.GetMetadata<ListenerMetadata>()?.Kind == ListenerKind.Management
        || listeners.KindOf(context) == ListenerKind.Management;

    private sealed class Fixed(HostFilteringOptions options) : IOptionsMonitor<HostFilteringOptions>
    {
        public HostFilteringOptions CurrentValue => options;

        public HostFilteringOptions Get(string? name) => options;

        public IDisposable? OnChange(Action<HostFilteringOptions, string?> listener) => null;
    }
}
