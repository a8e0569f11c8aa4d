using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace PoolApi.EndToEnd.Dashboard;

/// <summary>A page of the dashboard in Chromium. It records errors, warnings and requests to other addresses as complaints.</summary>
internal sealed partial class DashboardBrowser : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly ConcurrentQueue<string> _complaints = new();

    private DashboardBrowser(IBrowserContext context, IPage page, string url)
    {
        (_context, Page) = (context, page);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning") _complaints.Enqueue(message.Text);
        };
        page.PageError += (_, error) => _complaints.Enqueue(error);
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(url, StringComparison.Ordinal)) _complaints.Enqueue($"the page requests another address: {request.Url}");
        };
    }

    public IPage Page { get; }

    /// <summary>The complaints of the browser and the page, except the expected reports that the server cannot be reached.</summary>
    public IEnumerable<string> Complaints => _complaints.Where(static c => !Gone().IsMatch(c));

    public static Task<DashboardBrowser> OpenAsync(
        PoolApiProcess service, string path = "/", ColorScheme scheme = ColorScheme.Light, int width = 1280, ReducedMotion motion = ReducedMotion.Reduce) =>
        OpenAsync(service.Management.Url, path, scheme, width, motion);

    /// <summary>Opens a page of the dashboard at this address, which has no slash at its end. The page may send requests only to this
    /// address.</summary>
    /// <remarks>If motion is not reduced, a strip slides while it shows something. Without a graphics card that takes up to half a core for each
    /// page.</remarks>
    public static async Task<DashboardBrowser> OpenAsync(
        string url, string path = "/", ColorScheme scheme = ColorScheme.Light, int width = 1280, ReducedMotion motion = ReducedMotion.Reduce)
    {
        IBrowserContext context = await Chromium.NewContextAsync(scheme, width, motion);
        IPage page = await context.NewPageAsync();
        page.SetDefaultTimeout(Chromium.Patience);
        var opened = new DashboardBrowser(context, page, url + "/");
        await page.GotoAsync(url + path);
        await Assertions.Expect(page.Locator("#live")).ToContainTextAsync("live");
        return opened;
    }

    public ILocator Worker(string name) => Page.Locator($"tr[data-worker='{name}']");

    /// <summary>Saves a picture for people to look at.</summary>
    public async Task PictureAsync(string name)
    {
        string folder = Path.Combine(Repository.Root, "artifacts", "screenshots");
        Directory.CreateDirectory(folder);
        await Page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"{name}.png"), FullPage = true });
    }

    public ValueTask DisposeAsync() => _context.DisposeAsync();

    [GeneratedRegex("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_SOCKET_NOT_CONNECTED")]
    private static partial Regex Gone();
}
