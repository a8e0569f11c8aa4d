using Microsoft.Extensions.FileProviders;
using PoolApi.AspNetCore.Settings;
using PoolApi.Settings;

namespace PoolApi.Tests.Settings;

/// <summary>The framework settings: which are refused, which values a used setting may have, and the table in the docs.</summary>
public class FrameworkSettingsTests
{
    /// <summary>A text that no rule accepts.</summary>
    private const string Wrong = "%";

    public static TheoryData<string> Refused => Keys(SettingUse.Refused);

    public static TheoryData<string> NotOurs => Keys(SettingUse.NotOurs);

    public static TheoryData<string> Ruled => [.. FrameworkSettings.All
        .Where(static setting => setting.Use == SettingUse.Used && setting.Rule != ValueRule.Any).Select(static setting => setting.Key)];

    [Theory]
    [MemberData(nameof(Refused))]
    public void A_refused_setting_is_a_fault_with_its_reason(string key)
    {
        string name = Concrete(key);
        string fault = Assert.Single(Faults((name, "true")));
        Assert.StartsWith($"{name} is not used here: ", fault, StringComparison.Ordinal);
        Assert.EndsWith(FrameworkSettings.All.Single(setting => setting.Key == key).Text + ".", fault, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Ruled))]
    public void A_wrong_value_of_a_used_setting_is_a_fault_that_names_the_allowed_values(string key)
    {
        FrameworkSetting setting = FrameworkSettings.All.Single(setting => setting.Key == key);
        string fault = Assert.Single(Faults((Concrete(key), Wrong)));
        Assert.StartsWith(Concrete(key) + " is ", fault, StringComparison.Ordinal);
        Assert.EndsWith($"it must be {setting.Rule.Allowed}.", fault, StringComparison.Ordinal);
        Assert.Equal(!setting.IsSecret, fault.Contains($"'{Wrong}'", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(NotOurs))]
    public void A_setting_of_another_program_is_no_fault(string key) => Assert.Empty(Faults((Concrete(key), Wrong)));

    [Theory]
    [InlineData("Kestrel:Limits:MaxConcurrentConnection", "Did you mean Kestrel:Limits:MaxConcurrentConnections?")]
    [InlineData("Kestrel:Limit:KeepAliveTimeout", "Did you mean Kestrel:Limits:KeepAliveTimeout?")]
    [InlineData("Logging:SomewhereElse:LogLevel:Default", "docs/settings.md has the list.")]
    [InlineData("Logging:Consol:FormatterName", "Did you mean Logging:Console:FormatterName?")]
    [InlineData("AllowedHosts:0", "Did you mean AllowedHosts?")]
    [InlineData("HostBuilder:ReloadConfigOnChang", "Did you mean HostBuilder:ReloadConfigOnChange?")]
    [InlineData("HostBuilder:ReloadConfigOnChange:0", "Did you mean HostBuilder:ReloadConfigOnChange?")]
    [InlineData("PathBase:0", "Did you mean PathBase?")]
    [InlineData("HTTP_PORTS:0", "Did you mean HTTP_PORTS?")]
    [InlineData("ForwardedHeaders:KnownProxy", "Did you mean ForwardedHeaders:KnownProxies?")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPIONT", "Did you mean OTEL_EXPORTER_OTLP_ENDPOINT?")]
    public void An_unknown_key_of_a_framework_section_is_a_fault(string key, string hint) =>
        Assert.Equal($"{key} is not a setting. {hint}", Assert.Single(Faults((key, "1"))));

    [Theory]
    [InlineData("OTEL_PYTHON_LOG_CORRELATION")] // a ConfigMap may be shared by programs in several languages
    [InlineData("OTEL_COLLECTOR_HOST")]
    [InlineData("PATH")]
    public void An_environment_variable_of_another_program_is_no_fault(string key) => Assert.Empty(Faults((key, "x")));

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "it must be grpc or http/protobuf.")]
    [InlineData("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "it must be a whole number from 1 to 2147483647.")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317", "it must be an address http://host:port or https://host:port.")]
    [InlineData("OTEL_TRACES_EXPORTER", "console", "it must be otlp (several are separated by ',') or none.")]
    [InlineData("OTEL_LOGS_EXPORTER", "console", "it must be otlp (several are separated by ',') or none.")]
    [InlineData("Kestrel:EndpointDefaults:Protocols", "Http3", "it must be Http1, Http2 or Http1AndHttp2.")]
    [InlineData("Kestrel:Limits:KeepAliveTimeout", "5", "it must be a time from 00:00:01 to 1.00:00:00, written [d.]hh:mm:ss[.fff].")]
    [InlineData("AllowedHosts", "example.com:8080", "it must be one or more host names without a port, separated by ';'; *.example.com is any name under it, * is any.")]
    public void A_value_that_the_framework_would_ignore_is_a_fault(string key, string value, string allowed) =>
        Assert.Equal($"{key} is '{value}'; {allowed}", Assert.Single(Faults((key, value))));

    [Theory]
    [InlineData("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE is '4096'; it must be at most OTEL_BSP_MAX_QUEUE_SIZE, which is 2048.")]
    [InlineData("OTEL_TRACES_SAMPLER_ARG", "0.5", "OTEL_TRACES_SAMPLER_ARG is '0.5'; it may be set only where OTEL_TRACES_SAMPLER is traceidratio or parentbased_traceidratio.")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set while OTEL_TRACES_EXPORTER is 'none'; it may be set only where that is otlp or not set.", "OTEL_TRACES_EXPORTER", "none")]
    public void A_setting_that_conflicts_with_another_one_is_a_fault(string key, string value, string fault, string? other = null, string? set = null) =>
        Assert.Equal(fault, Assert.Single(other is null ? Faults((key, value)) : Faults((key, value), (other, set!))));

    [Theory]
    [InlineData("HostOptions:ShutdownTimeout")]
    [InlineData("hostoptions:ServicesStopConcurrently")]
    [InlineData("HostOptions")]
    public void The_section_HostOptions_is_refused_because_the_host_does_not_read_it(string key) =>
        Assert.StartsWith($"{key} is not used here: the host reads no such section", Assert.Single(Faults((key, "x"))), StringComparison.Ordinal);

    [Fact]
    public void An_empty_value_of_a_setting_that_the_service_reads_counts_as_not_set()
    {
        string[] keys = [.. SettingCatalogue.All.Select(static setting => setting.Key).Where(static key => key != "Auth:ApiKeys"), "AllowedHosts", "ForwardedHeaders:KnownProxies", "PathBase"];
        (string, string)[] empty = [.. keys.Select(static key => (key, ""))];
        Assert.Contains(("Urls", ""), empty);
        Assert.Empty(Faults(empty));
    }

    [Fact]
    public void An_empty_list_of_clients_is_a_fault() =>
        Assert.StartsWith("Auth:ApiKeys is a value; it must be a section", Assert.Single(Faults(("Auth:ApiKeys", ""))), StringComparison.Ordinal);

    [Fact]
    public void An_empty_key_of_a_client_is_a_fault() =>
        Assert.StartsWith("Auth:ApiKeys:alice is not a valid key", Assert.Single(Faults(("Auth:ApiKeys:alice", ""))), StringComparison.Ordinal);

    [Fact]
    public void An_empty_variable_counts_as_not_set() =>
        Assert.Empty(Faults(("HTTPS_PORTS", ""), ("OTEL_EXPORTER_OTLP_ENDPOINT", ""), ("OTEL_LOG_LEVEL", "")));

    [Fact]
    public void Each_key_occurs_once_in_the_table() => Assert.Distinct(FrameworkSettings.All.Select(static setting => setting.Key.ToUpperInvariant()));

    [Fact]
    public void The_table_in_the_docs_matches_the_settings_in_the_code()
    {
        string[] rows = [.. File.ReadLines(Path.Combine(Repository.Root, "docs", "settings.md")).Where(static line => line.StartsWith("| `", StringComparison.Ordinal))];
        Assert.Equal([.. SettingCatalogue.All.Select(static setting => Row(setting.Key, setting.Setting)), .. FrameworkSettings.All.Select(Row)], rows);
    }

    private static string Row(string key, Setting setting) =>
        $"| `{key}` | {setting.Default} | {setting.Allowed.Replace("*", "\\*", StringComparison.Ordinal)} | {setting.Text} |";

    internal static string Row(FrameworkSetting setting) => setting.Use switch
    {
        SettingUse.Used => $"| `{setting.Key}` | {setting.Default} | {setting.Rule.Allowed.Replace("*", "\\*", StringComparison.Ordinal)} | {setting.Text} |",
        SettingUse.Refused => $"| `{setting.Key}` | | refused | {setting.Text} |",
        _ => $"| `{setting.Key}` | | not read | {setting.Text} |",
    };

    private static TheoryData<string> Keys(SettingUse use) => [.. FrameworkSettings.All.Where(setting => setting.Use == use).Select(static setting => setting.Key)];

    private static string Concrete(string key) => key.Replace("{category}", "PoolApi.Server", StringComparison.Ordinal).Replace("*", "X", StringComparison.Ordinal);

    private static List<string> Faults(params ReadOnlySpan<(string Key, string Value)> settings)
    {
        var values = new Dictionary<string, string?>();
        foreach (var (key, value) in settings) values[key] = value;
        return ServiceSettings.Read(new ConfigurationBuilder().AddInMemoryCollection(values).Build(), new Host()).Faults;
    }

    private sealed class Host : IHostEnvironment
    {
        public string EnvironmentName { get; set; } = "Production";

        public string ApplicationName { get; set; } = "PoolApi";

        public string ContentRootPath { get; set; } = "/";

        public IFileProvider ContentRootFileProvider { get; set; } = new NullFileProvider();
    }
}
