using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Configuration;
using PoolApi.Dashboard.Requests;

namespace PoolApi.Dashboard.Changes;

/// <summary>Refuses changes that a web page of another site sends.</summary>
internal sealed class ChangeGuard(PoolDashboardOptions options, IConfiguration configuration)
{
    private readonly KnownHosts _hosts = new(Names(options, configuration));

    /// <exception cref="InvalidOperationException">A configured host name is malformed.</exception>
    public static void Check(PoolDashboardOptions options)
    {
        foreach (string name in options.AllowedHosts)
        {
            if (!KnownHosts.IsName(name))
                throw new InvalidOperationException($"PoolDashboardOptions.AllowedHosts has '{name}'; it must contain only {KnownHosts.Rule("the dashboard's routes")}.");
        }
    }

    /// <returns>A 403 response; null if the request is allowed.</returns>
    public ProblemHttpResult? Refuse(HttpContext context) => _hosts.IsCrossSite(context.Request)
        ? Problem.Forbidden(
            context,
            "This request comes from a web page of another site, or from a page whose host name is not configured. "
            + "If the page is the app's own, add its host to AllowedHosts of the dashboard.")
        : null;

    private static IEnumerable<string> Names(PoolDashboardOptions options, IConfiguration configuration)
    {
        if (options.AllowedHosts.Count > 0) return options.AllowedHosts;
        string setting = configuration["AllowedHosts"] ?? "";
        // The app answers for localhost, and so do other programs of this machine. Their pages are not this app's own.
        return setting.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Where(static name => KnownHosts.IsName(name) && !HostForm.IsLocalhost(name));
    }
}
