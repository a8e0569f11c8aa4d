using System.Globalization;

namespace PoolApi.EndToEnd.Connections;

/// <summary>The service listens on the addresses of its settings, and on no others.</summary>
public sealed class ListenAddressTests
{
    [Fact]
    public async Task The_service_listens_on_the_address_that_a_host_name_resolves_to()
    {
        // Every machine can resolve its own name.
        string name = System.Net.Dns.GetHostName();
        var resolved = await System.Net.Dns.GetHostAddressesAsync(name, TestContext.Current.CancellationToken);
        int port = FreePorts.Next();
        await using var service = await PoolApiProcess.LaunchAsync(
            ServiceForm.Any, onePort: false, environment: null, $"--Management:Urls http://{name}:{port}");

        await service.WaitForLineAsync($":{port.ToString(CultureInfo.InvariantCulture)}");

        string[] listening = [.. service.Log.Lines.Where(line => line.Contains("listening on", StringComparison.Ordinal))];
        Assert.DoesNotContain(listening, line => line.Contains("//[::]", StringComparison.Ordinal) || line.Contains("0.0.0.0", StringComparison.Ordinal));
        Assert.Contains(listening, line => resolved.Any(address => line.Contains(address.ToString(), StringComparison.Ordinal)));
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_host_name_that_does_not_resolve_stops_the_start(ServiceForm form)
    {
        var run = await PoolApiProcess.RunToEndAsync(
            form, $"--Urls http://127.0.0.1:{FreePorts.Next()}", $"--Management:Urls http://no-such-host.invalid:{FreePorts.Next()}");

        Assert.Equal(78, run.ExitCode);
        Assert.Contains("Management:Urls", run.Text, StringComparison.Ordinal);
        Assert.Contains("the host 'no-such-host.invalid' is a name that cannot be resolved", run.Text, StringComparison.Ordinal);
    }
}
