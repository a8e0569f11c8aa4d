using Microsoft.AspNetCore.Mvc.RazorPages;

namespace PoolApi.Consumers.Tests.Pages;

internal sealed class PlainModel(Trail trail) : PageModel
{
    public string? Said { get; private set; }

    public void OnGet()
    {
        trail.Add("handler");
        Said = "got";
    }

    public void OnGetContext() => Said = $"{SynchronizationContext.Current is null} {FixedThreadPool.Current is not null}";
}
