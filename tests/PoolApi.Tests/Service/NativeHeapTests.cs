using PoolApi.Thumbnails;

namespace PoolApi.Tests.Service;

/// <summary>The service does not override heap parameters that the environment sets.</summary>
public class NativeHeapTests
{
    [Theory]
    [InlineData(null, null, false)]
    [InlineData(null, "", false)]
    [InlineData("4", null, true)]
    [InlineData(null, "glibc.malloc.arena_max=4", true)]
    [InlineData(null, "glibc.malloc.trim_threshold=1:glibc.malloc.arena_max=4", true)]
    [InlineData(null, "glibc.malloc.trim_threshold=1:glibc.malloc.arena_maximum=4", false)]
    [InlineData(null, "glibc.rtld.optional_static_tls=4096", false)]
    public void A_parameter_is_set_by_its_variable_or_among_the_tunables(string? variable, string? tunables, bool isSet) =>
        Assert.Equal(isSet, NativeHeap.IsSet(variable, tunables, "arena_max"));
}
