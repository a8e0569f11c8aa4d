using PoolApi.AspNetCore.Settings;

namespace PoolApi.Diagnostics;

/// <summary>Which routes for work there are beside the real ones: the section <c>Workloads</c>.</summary>
internal static class WorkloadSettings
{
    private static readonly Setting<bool> Diagnostics = Setting.Boolean(
        "Diagnostics", false, "the diagnostics routes, to try and to measure. `dotnet run` is Development").WithDefault("true in Development, else false");

    public static readonly SettingSection Section = new("Workloads", [Diagnostics]);

    public static bool Read(IConfiguration configuration, IHostEnvironment environment, List<string> faults)
    {
        var reader = new SettingsReader(configuration.GetSection(Section.Name), faults);
        bool diagnostics = reader.Read(Diagnostics, environment.IsDevelopment());
        reader.RejectUnknownKeys();
        return diagnostics;
    }
}
