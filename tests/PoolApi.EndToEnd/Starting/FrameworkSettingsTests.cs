using System.Net.Sockets;
using System.Text.Json;

namespace PoolApi.EndToEnd.Starting;

/// <summary>Settings of the framework take effect in both forms of the service.</summary>
public sealed class FrameworkSettingsTests
{
    [Theory, ClassData(typeof(BothForms))]
    public async Task The_log_is_JSON_and_the_management_port_answers_when_settings_restrict_hosts_and_protocols(ServiceForm form)
    {
        var environment = new Dictionary<string, string>
        {
            ["Logging__Console__FormatterName"] = "json",
            ["Logging__Console__FormatterOptions__IncludeScopes"] = "true",
            ["AllowedHosts"] = "api.example.com",
            [PoolApiProcess.ProtocolsVariable] = "Http2",
            ["Kestrel__Limits__MaxConcurrentConnections"] = "1",
            ["OTEL_SERVICE_NAME"] = "thumbs-eu",
            ["OTEL_RESOURCE_ATTRIBUTES"] = "service.instance.id=pod-7",
        };
        await using var service = await PoolApiProcess.StartAsync(form, onePort: false, environment, PoolApiProcess.Diagnostics);
        using var first = new TcpClient("127.0.0.1", service.Api.Port);
        await service.Management.GetAsync("/readyz");
        string metrics = (await service.Management.GetAsync("/metrics")).MustBe(200).Text;
        Assert.Contains("service_name=\"thumbs-eu\"", metrics, StringComparison.Ordinal);
        Assert.Contains("service_instance_id=\"pod-7\"", metrics, StringComparison.Ordinal);

        service.Send(UnixSignal.Terminate);
        Assert.Equal(0, await service.WaitForExitAsync());

        Assert.NotEmpty(service.Log.Lines);
        foreach (string line in service.Log.Lines)
        {
            using var json = JsonDocument.Parse(line);
            Assert.EndsWith("Z", json.RootElement.GetProperty("Timestamp").GetString(), StringComparison.Ordinal);
        }
    }
}
