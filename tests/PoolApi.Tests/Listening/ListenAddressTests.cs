using System.Net;
using System.Net.Sockets;
using PoolApi.Management;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Listening;

/// <summary>The addresses that the server binds for each form of a configured address: never more than the form names.</summary>
public class ListenAddressTests
{
    private static readonly Dictionary<string, string[]> Names = new(StringComparer.OrdinalIgnoreCase)
    {
        ["management.internal"] = ["10.1.2.3"],
        ["management.internal."] = ["10.1.2.3"],
        ["two.internal"] = ["10.1.2.3", "10.1.2.4", "10.1.2.3"],
        ["mapped.internal"] = ["::ffff:10.1.2.3"],
        ["blocked.internal"] = ["0.0.0.0"],
        ["blocked6.internal"] = ["10.1.2.3", "::"],
        ["empty.internal"] = [],
        ["localhost"] = ["192.0.2.1"],
    };

    [Theory]
    [InlineData("*", "*")]
    [InlineData("+", "+")]
    [InlineData("0.0.0.0", "0.0.0.0")]
    [InlineData("[::]", "[::]")]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("10.20.30.40", "10.20.30.40")]
    [InlineData("[::1]", "[::1]")]
    [InlineData("[0:0:0:0:0:0:0:1]", "[::1]")]
    [InlineData("[FE80::1%1]", "[fe80::1%1]")]
    [InlineData("[fe80::1%251]", "[fe80::1%1]")]
    [InlineData("[::ffff:127.0.0.1]", "127.0.0.1")]
    [InlineData("localhost", "localhost")]
    [InlineData("LOCALHOST", "localhost")]
    [InlineData("localhost.", "localhost")]
    [InlineData("pool.localhost", "localhost")]
    [InlineData("management.internal", "10.1.2.3")]
    [InlineData("MANAGEMENT.Internal", "10.1.2.3")]
    [InlineData("management.internal.", "10.1.2.3")]
    [InlineData("two.internal", "10.1.2.3", "10.1.2.4")]
    [InlineData("mapped.internal", "10.1.2.3")]
    public void A_valid_host_resolves_to_the_addresses_that_it_names(string host, params string[] bound)
    {
        foreach (string key in (string[])["Urls", "Management:Urls"])
        {
            (ServerUrls urls, List<string> faults) = Read((key, $"http://{host}:5000"));
            Assert.Empty(faults);
            Assert.Equal(bound.Select(static one => $"http://{one}:5000"), key == "Urls" ? urls.Api : urls.Management);
        }
    }

    [Theory]
    [InlineData("no.such.host", "cannot be resolved")]
    [InlineData("empty.internal", "without an address")]
    [InlineData("blocked.internal", "every interface")]
    [InlineData("blocked6.internal", "every interface")]
    [InlineData("[0::0]", "every interface")]
    [InlineData("[::ffff:0.0.0.0]", "every interface")]
    [InlineData("0", "neither a host name nor an IP address")]
    [InlineData("127.1", "neither a host name nor an IP address")]
    [InlineData("0x7f.1", "neither a host name nor an IP address")]
    [InlineData("010.0.0.1", "neither a host name nor an IP address")]
    [InlineData("256.0.0.1", "neither a host name nor an IP address")]
    [InlineData("user@127.0.0.1", "neither a host name nor an IP address")]
    [InlineData("::1", "neither a host name nor an IP address")]
    [InlineData("[127.0.0.1]", "neither a host name nor an IP address")]
    [InlineData("**", "neither a host name nor an IP address")]
    [InlineData("*.internal", "neither a host name nor an IP address")]
    public void An_unusable_host_is_a_fault_that_names_the_key_and_the_host(string host, string says)
    {
        foreach (string key in (string[])["Urls", "Management:Urls"])
        {
            (_, List<string> faults) = Read((key, $"http://{host}:5000"));
            Assert.StartsWith($"{key} is 'http://{host}:5000': the host '{host}' ", Assert.Single(faults), StringComparison.Ordinal);
            Assert.Contains(says, faults[0], StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_wildcard_is_bound_only_if_the_host_is_written_as_that_wildcard()
    {
        var random = new Random(20261128);
        for (int i = 0; i < 5000; i++)
        {
            string host = string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => "0123.x[]%af*+-"[random.Next(14)]));
            if (random.Next(2) == 0) host = $"[{string.Concat(Enumerable.Range(0, random.Next(1, 8)).Select(_ => "0:1f%."[random.Next(6)]))}]";
            (ServerUrls urls, List<string> faults) = Read(("Management:Urls", $"http://{host}:5000"));
            string[] bound = [.. urls.Management.Select(static url => BindingAddress.Parse(url).Host)];
            Assert.All(bound, one => Assert.True(
                one == ListenHost.Localhost || (ListenHost.IsWildcard(one) ? one == host : IPAddress.TryParse(one, out _)), $"'{host}' binds '{one}'"));
            Assert.Equal(faults.Count > 0, bound is ["localhost"]);
        }
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("two.internal")]
    public void Port_0_is_a_fault_for_a_host_with_two_addresses(string host)
    {
        (_, List<string> faults) = Read(("Management:Urls", $"http://{host}:0"));
        Assert.Contains("port 0", Assert.Single(faults), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://two.internal:5000", "http://10.1.2.3:5000")]
    [InlineData("http://10.1.2.3:5000", "http://two.internal:5000")]
    [InlineData("http://127.0.0.1:5000;http://10.0.0.1:5000", "http://127.0.0.1:5000")]
    [InlineData("http://*:5000", "http://0.0.0.0:5000")]
    public void A_port_that_the_API_and_the_management_share_with_different_addresses_is_a_fault(string api, string management)
    {
        (_, List<string> faults) = Read(("Urls", api), ("Management:Urls", management));
        Assert.Contains("they must be the same address, or have different ports", Assert.Single(faults), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://*:5000", "http://*:5000", 1)]
    [InlineData("http://127.0.0.1:0", "http://127.0.0.1:0", 1)]
    [InlineData("http://127.0.0.1:5001;http://127.0.0.1:5000", "http://127.0.0.1:5000", 1)]
    [InlineData("http://*:5000", "http://*:5000", 1, "http2")]
    [InlineData("http://*:5000", "http://*:5001", 0)]
    public void Serving_HTTP2_alone_on_a_port_shared_with_the_management_is_a_fault(string api, string management, int count, string protocols = "Http2")
    {
        (_, List<string> faults) = Read(("Urls", api), ("Management:Urls", management), ("Kestrel:EndpointDefaults:Protocols", protocols));
        Assert.Equal(
            Enumerable.Repeat(
                "Kestrel:EndpointDefaults:Protocols is Http2, and Management:Urls is an address of Urls; probes and scrapes speak HTTP/1.1. Give the management a port of its own.",
                count),
            faults);
        Assert.Empty(Read(("Urls", api), ("Management:Urls", management), ("Kestrel:EndpointDefaults:Protocols", "Http1")).Faults);
    }

    [Theory]
    [InlineData("http://+:5001", "http://127.0.0.1:5001/ http://[::1]:5001/")]
    [InlineData("http://*:5001", "http://127.0.0.1:5001/ http://[::1]:5001/")]
    [InlineData("http://0.0.0.0:5001", "http://127.0.0.1:5001/ http://[::1]:5001/")]
    [InlineData("http://localhost:5001", "http://127.0.0.1:5001/ http://[::1]:5001/")]
    [InlineData("http://two.internal:5001", "http://10.1.2.3:5001/ http://10.1.2.4:5001/")]
    [InlineData("http://10.0.0.1:5001;http://[::1]:5001", "http://10.0.0.1:5001/ http://[::1]:5001/")]
    public void The_health_check_asks_the_addresses_that_the_service_listens_on(string management, string probes)
    {
        (ServerUrls urls, _) = Read(("Management:Urls", management));
        Assert.Equal(probes, string.Join(' ', urls.ManagementProbes));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("[::1]")]
    public async Task The_health_check_finds_a_service_that_listens_on_one_loopback_of_two(string host)
    {
        if (host == "[::1]" && !Socket.OSSupportsIPv6) Assert.Skip("This machine has no IPv6.");
        await using ServiceApp app = ServiceApp.With(("Urls", "http://127.0.0.1:0"), ("Management:Urls", $"http://{host}:0"));
        app.UseKestrel();
        app.StartServer();
        int port = BindingAddress.Parse(app.Services.GetRequiredService<Microsoft.AspNetCore.Hosting.Server.IServer>().Features
            .Get<Microsoft.AspNetCore.Hosting.Server.Features.IServerAddressesFeature>()!.Addresses.Last()).Port;
        // The command's timeout of five seconds may be too short on a busy machine.
        await MachineLoad.TryAgainAsync(async () => await HealthcheckCommand.RunAsync(["--Management:Urls", $"http://localhost:{port}"]) == 0, "the command fails");
    }

    private static (ServerUrls Urls, List<string> Faults) Read(params ReadOnlySpan<(string Key, string Value)> settings)
    {
        var values = new Dictionary<string, string?>();
        foreach (var (key, value) in settings) values[key] = value;
        var faults = new List<string>();
        return (ServerUrls.Read(new ConfigurationBuilder().AddInMemoryCollection(values).Build(), faults, LookUp), faults);
    }

    private static IPAddress[] LookUp(string name) =>
        Names.TryGetValue(name, out string[]? found) ? [.. found.Select(IPAddress.Parse)] : throw new SocketException((int)SocketError.HostNotFound);
}
