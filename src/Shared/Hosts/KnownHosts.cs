using Microsoft.Extensions.Primitives;

namespace PoolApi;

// No XML documentation here: the OpenAPI package reads that of referenced projects too, and fails where a member is in two of them.
// The hosts by which people open an app's pages.
// A web page can point a name of its own at this app (DNS rebinding). For the browser, page and app then have the same origin. The page
// cannot choose an IP address or localhost as its name. Any other name must be configured.
internal sealed class KnownHosts
{
    private readonly HashSet<string> _names = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<string> _suffixes = [];
    private readonly HashSet<string> _own;

    // names: Names, each of the form IsName.
    // own: Names of this machine. They are allowed as well, but other programs have pages under them, at other ports.
    public KnownHosts(IEnumerable<string> names, IEnumerable<string>? own = null)
    {
        _own = (own ?? []).Select(Plain).ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (string name in names)
        {
            if (name.StartsWith("*.", StringComparison.Ordinal)) _suffixes.Add(Plain(name[1..]));
            else _names.Add(Plain(name));
        }
    }

    // What may be configured, for a message. routes: what the names protect. separated: how several names stand in one text.
    public static string Rule(string routes, string separated = "") =>
        $"host names without port{separated}, such as pool.example or *.ops.example. "
        + $"IP addresses and localhost are always allowed, and a lone * never: any web page could then call {routes}";

    // Whether it can be configured: a host, or *. and a host.
    public static bool IsName(string text) =>
        HostForm.IsAddress(text) || HostForm.IsName(text.StartsWith("*.", StringComparison.Ordinal) ? text[2..] : text);

    // Whether a client may use this host. HTTP/1.0 needs none; a browser always sends one.
    public bool Allow(HostString host) =>
        !host.HasValue || HostForm.IsAddress(host.Host) || HostForm.IsLocalhost(host.Host) || _own.Contains(Plain(host.Host)) || IsConfigured(host.Host);

    // Whether a web page of another site sends the request. Browsers report it: by Origin in every POST, and by Sec-Fetch-Site towards
    // localhost and https. Programs send neither.
    // A page under a configured name is this app's own, with any scheme and port of the proxy in front. A page under an IP address,
    // localhost or another name of this machine must have the scheme, host and port of the request: other programs on this machine
    // or network have pages too.
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

    private static string Plain(string name) => name.EndsWith('.') ? name[..^1] : name;

    private bool IsConfigured(string host)
    {
        string name = Plain(host);
        return _names.Contains(name) || _suffixes.Exists(suffix => name.Length > suffix.Length && name.EndsWith(suffix, StringComparison.OrdinalIgnoreCase));
    }
}
