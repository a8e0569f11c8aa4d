using Microsoft.Extensions.Options;
using PoolApi.Auth;
using PoolApi.Cors;
using PoolApi.Diagnostics;
using PoolApi.JobSetup;
using PoolApi.Management;
using PoolApi.Settings;
using PoolApi.Thumbnails;
using PoolApi.Thumbnails.Inspection;

namespace PoolApi;

/// <summary>The service's own settings, beside those of the pool and of the shutdown.</summary>
internal sealed class ServiceSettings
{
    private ServiceSettings(
        ServerUrls urls, ManagementHosts managementHosts, bool diagnostics, AuthSettings auth, CorsSettings cors, JobSettings jobs, DashboardSettings dashboard,
        DecodeLimits decoding, List<string> faults)
    {
        Urls = urls;
        ManagementHosts = managementHosts;
        Diagnostics = diagnostics;
        Auth = auth;
        Cors = cors;
        Jobs = jobs;
        Dashboard = dashboard;
        Decoding = decoding;
        Faults = faults;
    }

    public ServerUrls Urls { get; }

    /// <summary>By which hosts the management routes answer.</summary>
    public ManagementHosts ManagementHosts { get; }

    /// <summary>Whether the diagnostics routes are there.</summary>
    public bool Diagnostics { get; }

    /// <summary>Who may use the pool, and how much of it.</summary>
    public AuthSettings Auth { get; }

    /// <summary>Whose web pages may call the API.</summary>
    public CorsSettings Cors { get; }

    /// <summary>Where jobs are kept, and how they run.</summary>
    public JobSettings Jobs { get; }

    /// <summary>When the dashboard takes a snapshot, and where it writes snapshots.</summary>
    public DashboardSettings Dashboard { get; }

    /// <summary>What decoding an image may cost.</summary>
    public DecodeLimits Decoding { get; }

    /// <summary>What is wrong; reported at the start, together with the faults of the others.</summary>
    public List<string> Faults { get; }

    public static ServiceSettings Read(IConfiguration configuration, IHostEnvironment environment)
    {
        var faults = new List<string>();
        ServerUrls urls = ServerUrls.Read(configuration, faults);

        SettingNames.FindMisspelt(configuration, faults);

        ManagementHosts managementHosts = ManagementSettings.Read(configuration, urls, faults);
        bool diagnostics = WorkloadSettings.Read(configuration, environment, faults);
        AuthSettings auth = AuthSettings.Read(configuration, environment.ContentRootPath, faults);
        CorsSettings cors = CorsSettings.Read(configuration, faults);

        FrameworkSettings.Validate(configuration, faults);

        var jobs = JobSettings.Read(configuration, environment.ContentRootPath, faults);
        var dashboard = DashboardSettings.Read(configuration, environment.ContentRootPath, faults);
        DecodeLimits decoding = ThumbnailSettings.Read(configuration, faults);
        return new ServiceSettings(urls, managementHosts, diagnostics, auth, cors, jobs, dashboard, decoding, faults);
    }

    /// <summary>Registers the settings, and lets the host validate them together with all others before anything starts.</summary>
    public void AddTo(IServiceCollection services)
    {
        services.AddSingleton(Urls);
        services.AddSingleton(Decoding);
        services.AddSingleton(ManagementHosts);
        services.AddSingleton(Dashboard);
        Auth.AddTo(services);
        services.AddOptions<ServiceSettingsCheck>().ValidateOnStart();
        services.AddSingleton<IValidateOptions<ServiceSettingsCheck>>(new Validator(Faults));
    }

    internal sealed class ServiceSettingsCheck;

    private sealed class Validator(List<string> faults) : IValidateOptions<ServiceSettingsCheck>
    {
        public ValidateOptionsResult Validate(string? name, ServiceSettingsCheck options) =>
            faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }
}
