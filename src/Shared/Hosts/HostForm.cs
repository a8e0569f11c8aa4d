using System.Net;
using System.Net.Sockets;

namespace PoolApi;

// No XML documentation here: the OpenAPI package reads that of referenced projects too, and fails where a member is in two of them.
// What a host in a URL is: an address, the loopback, or a name.
internal static class HostForm
{
    // Stands for both loopback addresses, IPv4 and IPv6, independent of what the resolver returns for the name.
    public const string Localhost = "localhost";

    // Whether a host is an IP address, in brackets if it is IPv6.
    public static bool IsAddress(string host) => AddressOf(host) is not null;

    // Whether a host has the form of a name.
    public static bool IsName(string host) => Uri.CheckHostName(host) == UriHostNameType.Dns && !EndsInNumber(host);

    // Whether a host is a name of the loopback (RFC 6761).
    public static bool IsLocalhost(string host)
    {
        string name = host.EndsWith('.') ? host[..^1] : host;
        return name.Equals(Localhost, StringComparison.OrdinalIgnoreCase) || name.EndsWith("." + Localhost, StringComparison.OrdinalIgnoreCase);
    }

    // The address that a host is; IPv4 with four decimal numbers only, because 127.1, 0 and 010.0.0.1 mean what few expect.
    public static IPAddress? AddressOf(string host)
    {
        if (host is ['[', .. var inner, ']'])
        {
            // In a URI the zone's % is written %25 (RFC 6874); zone 25 itself may be written as it is.
            if (inner.IndexOf("%25", StringComparison.Ordinal) is > 0 and int zone && zone + 3 < inner.Length) inner = inner.Remove(zone + 1, 2);
            return IPAddress.TryParse(inner, out IPAddress? v6) && v6.AddressFamily == AddressFamily.InterNetworkV6 ? v6 : null;
        }
        return IPAddress.TryParse(host, out IPAddress? v4) && v4.AddressFamily == AddressFamily.InterNetwork && v4.ToString() == host ? v4 : null;
    }

    // No name ends in a number (WHATWG URL): such a host is a misspelt IPv4 address.
    private static bool EndsInNumber(string host)
    {
        string last = host.TrimEnd('.') is var name ? name[(name.LastIndexOf('.') + 1)..] : "";
        return last.Length == 0 || last.All(char.IsAsciiDigit)
            || (last.StartsWith("0x", StringComparison.OrdinalIgnoreCase) && last.Skip(2).All(char.IsAsciiHexDigit));
    }
}
