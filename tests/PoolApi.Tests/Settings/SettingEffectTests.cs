using PoolApi.Settings;
using PoolApi.Tests.Service;
using Effect = System.Func<System.Threading.Tasks.Task>;

namespace PoolApi.Tests.Settings;

/// <summary>Every setting of the service, and every one of the framework that the table marks as used, has its effect on the running service.</summary>
public abstract class SettingEffectTests
{
    private protected static TheoryData<string> Used(IReadOnlyList<FrameworkSetting> table) =>
        [.. table.Where(static setting => setting.Use == SettingUse.Used).Select(static setting => setting.Key)];

    private protected static Task See(Dictionary<string, Effect> effects, string key)
    {
        Assert.True(effects.ContainsKey(key), $"the service uses {key}, and no test shows its effect");
        return effects[key]();
    }
}

/// <summary>The settings of the service itself.</summary>
[Trait("Category", "Slow")]
public class OwnSettingTests : SettingEffectTests
{
    private static readonly Dictionary<string, Effect> Effects = new(PoolEffects.All.Concat(JobEffects.All).Concat(ServiceEffects.All));

    public static TheoryData<string> Keys => [.. SettingCatalogue.All.Select(static setting => setting.Key)];

    [Theory]
    [MemberData(nameof(Keys))]
    public Task A_setting_has_its_effect(string key) => See(Effects, key);

    [Fact]
    public void The_table_of_effects_names_settings_of_the_catalogue_only() =>
        Assert.Empty(Effects.Keys.Except(SettingCatalogue.All.Select(static setting => setting.Key)));
}

/// <summary>
/// The settings of OpenTelemetry. These tests run one at a time, beside no other service that exports: the listeners of each service observe every
/// request of the process, and all services export a request that one of them records.
/// </summary>
[Collection(nameof(TelemetrySettingTests))]
[Trait("Category", "Slow")]
public class TelemetrySettingTests : SettingEffectTests
{
    public static TheoryData<string> Keys => Used(OpenTelemetrySettings.All);

    [Theory]
    [MemberData(nameof(Keys))]
    public Task A_used_setting_has_its_effect(string key) => See(TelemetryEffects.All, key);
}

/// <summary>The settings of the host and of Kestrel.</summary>
[Trait("Category", "Slow")]
public class ServerSettingTests : SettingEffectTests
{
    public static TheoryData<string> Keys => [.. Used(HostSettings.All), .. Used(KestrelSettings.All)];

    [Theory]
    [MemberData(nameof(Keys))]
    public Task A_used_setting_has_its_effect(string key) => See(ServerEffects.All, key);

    [Fact]
    public async Task AllowedHosts_does_not_apply_to_the_management_routes_on_a_shared_port()
    {
        await using ServiceApp app = ServiceApp.With(("AllowedHosts", "api.example.com"));
        using HttpClient client = app.CreateClient();
        using HttpResponseMessage probe = await client.GetAsync("/readyz", ServiceApp.Token);
        Assert.Equal(System.Net.HttpStatusCode.OK, probe.StatusCode);
        using HttpResponseMessage refused = await client.GetAsync("/openapi/v1.json", ServiceApp.Token);
        await ServiceApp.AssertProblem(refused, 400, "invalid-request", "Host", "does not answer for");
    }

    [Fact]
    public void A_content_root_that_is_not_there_is_a_fault() =>
        Assert.Equal(
            "ContentRoot is '/nowhere'; it must be a folder that exists.",
            Assert.Throws<ArgumentException>(static () => ContentRoot.Options(["--ContentRoot", "/nowhere"])).Message);
}

/// <summary>The settings of the log.</summary>
public class LogSettingTests : SettingEffectTests
{
    public static TheoryData<string> Keys => Used(LoggingSettings.All);

    [Theory]
    [MemberData(nameof(Keys))]
    public Task A_used_setting_has_its_effect(string key) => See(LogEffects.All, key);

    [Theory]
    [InlineData("simple")]
    [InlineData("json")]
    [InlineData("systemd")]
    public async Task The_log_format_does_not_change_when_the_configuration_changes_after_the_start(string formatter)
    {
        await using ServiceApp app = ServiceApp.With(("Logging:Console:FormatterName", formatter), ("Logging:Console:FormatterOptions:TimestampFormat", "'at' "));
        Assert.NotNull(app.Server);
        string before = LogEffects.Write(app);
        var configuration = (IConfigurationRoot)app.Services.GetRequiredService<IConfiguration>();

        // The quote in the format is not closed, so no line can be written with it.
        configuration["Logging:Console:FormatterOptions:TimestampFormat"] = "'";
        configuration["Logging:Console:FormatterOptions:IncludeScopes"] = "true";
        configuration.Reload();

        Assert.Contains("at", before, StringComparison.Ordinal);
        Assert.Equal(before, LogEffects.Write(app));
    }

    [Fact]
    public async Task By_default_a_log_entry_is_one_line_with_the_time_in_UTC()
    {
        await using var app = new ServiceApp();
        Assert.NotNull(app.Server);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info: PoolApi\[1\] a message\n$", LogEffects.Write(app));
    }
}
