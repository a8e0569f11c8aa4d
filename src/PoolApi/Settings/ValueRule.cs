using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace PoolApi.Settings;

/// <summary>The allowed values of a setting: in words, and as a check.</summary>
/// <param name="Allowed">The rule in words, to follow "it must be".</param>
/// <param name="Accepts">The check.</param>
internal sealed record ValueRule(string Allowed, Func<string, bool> Accepts)
{
    public static ValueRule Any { get; } = new("any text", static _ => true);

    public static ValueRule Boolean { get; } = new("true or false", static text => bool.TryParse(text, out _));

    public static ValueRule HttpUrl { get; } = new(
        "an address http://host:port or https://host:port",
        static text => Uri.TryCreate(text, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https");

    public static ValueRule Ports { get; } = new("one or more ports from 0 to 65535, separated by ';'", static text => PortsOf(text) is not null);

    /// <summary>What the OTLP exporter takes: it unescapes the whole before it splits it.</summary>
    public static ValueRule Headers { get; } = new("name=value, separated by ','; special characters are percent-encoded", static text =>
        Uri.UnescapeDataString(text).Split(',').All(static pair => pair.IndexOf('=', StringComparison.Ordinal) is > 0 and int at
            && pair[..at].Trim() is { Length: > 0 } name && name.All(static c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c))
            && !pair.Any(char.IsControl)));

    public static ValueRule Attributes { get; } = new(
        "name=value, separated by ','; special characters of a value are percent-encoded",
        static text => text.Split(',').All(static pair => pair.IndexOf('=', StringComparison.Ordinal) > 0 && pair.Split('=')[0].Trim().Length > 0));

    public static ValueRule File { get; } = new("the path of a file that exists", System.IO.File.Exists);

    public static ValueRule Hosts { get; } = new(
        "one or more host names without a port, separated by ';'; *.example.com is any name under it, * is any",
        static text => text.Split(';', StringSplitOptions.RemoveEmptyEntries) is { Length: > 0 } hosts
            && hosts.All(static host => host == "*" || IsHost(host.StartsWith("*.", StringComparison.Ordinal) ? host[2..] : host)));

    /// <summary>A prefix of paths. What needs an escape, and segments of dots, are left out.</summary>
    public static ValueRule Prefix { get; } = new(
        "a path such as /thumbs, without a slash at its end, of letters, digits, '-', '.', '_' and '~'",
        static text => text.StartsWith('/') && text[1..].Split('/').All(static segment => segment is not ("" or "." or "..")
            && segment.All(static c => char.IsAsciiLetterOrDigit(c) || "-._~".Contains(c))));

    public static ValueRule Networks { get; } = new(
        "one or more IP addresses, or networks such as 10.0.0.0/8, separated by ';'", static text => NetworksOf(text) is not null);

    public static ValueRule OneOf(params string[] values) => new(
        values.Length == 1 ? values[0] : $"{string.Join(", ", values[..^1])} or {values[^1]}",
        text => values.Contains(text, StringComparer.OrdinalIgnoreCase));

    /// <summary>A list of names. <c>none</c> stands alone.</summary>
    public static ValueRule ListOf(params string[] values) => new(
        $"{string.Join(", ", values)} (several are separated by ',') or none",
        text => text.Equals("none", StringComparison.OrdinalIgnoreCase)
            || text.Split(',', StringSplitOptions.TrimEntries).All(part => values.Contains(part, StringComparer.OrdinalIgnoreCase)));

    public static ValueRule WholeNumber(long min, long max) => new(
        $"a whole number from {min} to {max}",
        text => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value >= min && value <= max);

    public static ValueRule Number(double min, double max) => new(
        string.Create(CultureInfo.InvariantCulture, $"a number from {min} to {max}"),
        text => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) && value >= min && value <= max);

    public static ValueRule Time(TimeSpan min, TimeSpan max) => new(
        $"a time from {min:c} to {max:c}, written [d.]hh:mm:ss[.fff]",
        text => text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out TimeSpan value)
            && value >= min && value <= max);

    public static int[]? PortsOf(string text)
    {
        string[] parts = text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        int[] ports = [.. parts.Select(static part => ushort.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) ? port : -1)];
        return ports.Length > 0 && !ports.Contains(-1) ? ports : null;
    }

    public static IReadOnlyList<IPNetwork>? NetworksOf(string text)
    {
        string[] parts = text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        IPNetwork?[] networks = [.. parts.Select(static part =>
            IPAddress.TryParse(part, out IPAddress? address) ? new IPNetwork(address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128)
            : IPNetwork.TryParse(part, out IPNetwork network) ? network : (IPNetwork?)null)];
        return networks.Length == 0 || Array.Exists(networks, static network => network is null) ? null : [.. networks.Select(static network => network!.Value)];
    }

    private static bool IsHost(string host) => host.StartsWith('[') && host.EndsWith(']')
        ? System.Net.IPAddress.TryParse(host, out _)
        : Uri.CheckHostName(host) is UriHostNameType.Dns or UriHostNameType.IPv4;
}
