using System.Reflection;

namespace PoolApi.Jobs.Tests;

/// <summary>The short run of CONTRIBUTING.md starts no PostgreSQL, because it leaves out the classes with the trait.</summary>
public sealed class SlowTraitTests
{
    [Fact]
    public void Each_class_that_shares_a_PostgreSQL_is_left_out_of_the_short_run()
    {
        Type[] sharing =
        [
            .. typeof(SlowTraitTests).Assembly.GetTypes().Where(static type => !type.IsAbstract
                && type.GetConstructors().Any(static c => c.GetParameters().Any(static p => p.ParameterType == typeof(PostgresCluster)))
                && type.GetMethods().Any(static m => m.IsDefined(typeof(FactAttribute), inherit: true))),
        ];
        Assert.True(sharing.Length > 5);
        Assert.DoesNotContain(
            sharing,
            static type => !type.GetCustomAttributes<TraitAttribute>(inherit: true).Any(static trait => (trait.Name, trait.Value) == ("Category", "Slow")));
    }
}
