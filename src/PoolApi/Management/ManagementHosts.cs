using PoolApi.AspNetCore.Settings;

namespace PoolApi.Management;

/// <summary>The host names for which the management routes answer, from <c>Management:AllowedHosts</c>.</summary>
internal sealed class ManagementHosts
{
    public static readonly TextSetting Setting = PoolApi.AspNetCore.Settings.Setting.Words(
        "AllowedHosts",
        "",
        static text => Split(text).All(KnownHosts.IsName),
        KnownHosts.Rule("the management routes", ", separated by ';'"),
        "names for which the management routes answer, beside IP addresses, `localhost` and the names in `Management:Urls`");

    private readonly KnownHosts _known;

    private ManagementHosts(IReadOnlyList<string> allowed, IReadOnlyList<string> bound)
    {
        Names = [.. allowed, .. bound];
        _known = new KnownHosts(allowed, own: bound);
    }

    /// <summary>The allowed names.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Reads the setting. The names in <c>Management:Urls</c> are allowed as well.</summary>
    public static ManagementHosts Read(SettingsReader management, ServerUrls urls) => new(Split(management.Read(Setting)), urls.ManagementNames);

    /// <summary>Whether a client may use this host. HTTP/1.0 needs none; a browser always sends one.</summary>
    public bool Allow(HostString host) => _known.Allow(host);

    /// <summary>Whether a web page of another site sends the request.</summary>
    public bool IsCrossSite(HttpRequest request) => _known.IsCrossSite(request);

    private static string[] Split(string text) => text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
