using Microsoft.Playwright;

[assembly: AssemblyFixture(typeof(PoolApi.EndToEnd.Dashboard.Chromium))]

namespace PoolApi.EndToEnd.Dashboard;

/// <summary>One Chromium for the whole test run, because its start costs more than most tests of a page. The first test that needs it starts it. Each
/// test has a context of its own, with its own storage and connections.</summary>
public sealed class Chromium : IAsyncDisposable
{
    private static readonly string[] Arguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
        // Names under .internal lead to this machine, without a name server. A proxy of the tester's environment is not used.
        "--host-resolver-rules=MAP *.internal 127.0.0.1", "--no-proxy-server",
    ];

    private static readonly Lazy<Task<(IPlaywright Playwright, IBrowser Browser)>> Started = new(StartAsync);

    /// <summary>How long a test waits for the page to show something, in milliseconds: a guard against hanging for ever.</summary>
    internal const float Patience = 180_000;

    internal static async Task<IBrowserContext> NewContextAsync(ColorScheme scheme, int width, ReducedMotion motion)
    {
        (_, IBrowser browser) = await Started.Value;
        // Tests with TLS use a self-signed certificate.
        return await browser.NewContextAsync(
            new() { ColorScheme = scheme, ReducedMotion = motion, ViewportSize = new() { Width = width, Height = 900 }, IgnoreHTTPSErrors = true });
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (Started is not { IsValueCreated: true, Value.IsCompletedSuccessfully: true }) return;
        var (playwright, browser) = await Started.Value;
        await browser.DisposeAsync();
        playwright.Dispose();
    }

    private static async Task<(IPlaywright Playwright, IBrowser Browser)> StartAsync()
    {
        // The headless shell has no windows, so it opens no pages of its own beside those of the tests.
        string chromium = Tool.Find("chromium-headless-shell") ?? Tool.Find("chromium")
            ?? Tool.Require("chromium-headless-shell", "apt-get install --no-install-recommends chromium-headless-shell");
        Environment.SetEnvironmentVariable("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
        Assertions.SetDefaultExpectTimeout(Patience);
        IPlaywright playwright = await Playwright.CreateAsync();
        return (playwright, await playwright.Chromium.LaunchAsync(new() { ExecutablePath = chromium, Args = Arguments, Timeout = Patience }));
    }
}
