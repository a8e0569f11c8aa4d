using Microsoft.Extensions.Primitives;
using PoolApi.AspNetCore.Settings;

namespace PoolApi.Management;

/// <summary>The hosts by which clients may call the management routes, from <c>Management:AllowedHosts</c>.</summary>
/// <remarks>
/// A web page can point a name of its own at this service (DNS rebinding), and is then same-origin with it in the eyes of the
/// browser. It cannot choose an IP address or <c>localhost</c> as its name. Any other name must be configured.
/// </remarks>
internal sealed class ManagementHosts
{
    public static readonly TextSetting Setting = PoolApi.AspNetCore.Settings.Setting.Words(
        "AllowedHosts",
        "",
        static text => Split(text).All(IsName),
        "host names without port, separated by ';', such as pool.example or *.ops.example. "
            + "IP addresses and localhost are always allowed, and a lone * never: any web page could then call the management routes",
        "names by which the management routes answer, beside IP addresses, `localhost` and the names in `Management:Urls`");

    private readonly HashSet<string> _names = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<string> _suffixes = [];

    private ManagementHosts(IEnumerable<string> names)
    {
        foreach (string name in names)
        {
            if (name.StartsWith("*.", StringComparison.Ordinal)) _suffixes.Add(Plain(name[1..]));
            else _names.Add(Plain(name));
        }
    }

    /// <summary>Reads the setting. The names in <c>Management:Urls</c> are allowed as well.</summary>
    public static ManagementHosts Read(SettingsReader management, ServerUrls urls)
    {
        return new ManagementHosts(Split(management.Read(Setting)).Concat(urls.ManagementNames));
    }

    /// <summary>Whether a client may use this host. HTTP/1.0 needs none; a browser always sends one.</summary>
    public bool Allow(HostString host) =>
        !host.HasValue || ListenHost.IsAddress(host.Host) || ListenHost.IsLocalhost(host.Host) || IsConfigured(host.Host);

    /// <summary>
    /// Whether a web page of another site sends the request. Browsers say so: by Origin in every POST, and by Sec-Fetch-Site towards
    /// localhost and https. Programs send neither.
    /// </summary>
    /// <remarks>
    /// A page that comes by a configured name is this service's own, whatever scheme and port the proxy in front has. By an IP address
    /// or localhost, host and port must be those of the request: another program of this machine or network has pages too.
    /// </remarks>
    public bool IsCrossSite(HttpRequest request)
    {
        StringValues site = request.Headers["Sec-Fetch-Site"];
        if (site.Count > 0 && site is not ["same-origin" or "none"]) return true;
        StringValues origin = request.Headers.Origin;
        if (origin.Count == 0) return false;
        if (origin is not [{ } one] || !Uri.TryCreate(one, UriKind.Absolute, out Uri? page) || page.Scheme is not ("http" or "https")) return true;
        return !IsConfigured(page.Host)
            && !(request.Host.HasValue && Allow(request.Host) && one.Equals($"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase));
    }

    private static string[] Split(string text) => text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static bool IsName(string text) => ListenHost.IsAddress(text) || ListenHost.IsName(text.StartsWith("*.", StringComparison.Ordinal) ? text[2..] : text);

    private static string Plain(string name) => name.EndsWith('.') ? name[..^1] : name;

    private bool IsConfigured(string host)
    {
        string name = Plain(host);
        return _names.Contains(name) || _suffixes.Exists(suffix => name.Length > suffix.Length && name.EndsWith(suffix, StringComparison.OrdinalIgnoreCase));
    }
}
