package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

func (a *app) userCommand() *cobra.Command {
	return a.parent("user", "Add, list and delete users, and say what they may do",
		a.userAddCommand(), a.userListCommand(), a.userPasswdCommand(), a.userPermitCommand(), a.userDeleteCommand())
}

// userJSON is a user as `user list --json` shows it.
type userJSON struct {
	Name        string           `json:"user"`
	Tags        []string         `json:"tags"`
	HasPassword bool             `json:"has_password"`
	Permissions []permissionJSON `json:"permissions"`
}

type permissionJSON struct {
	Namespace string `json:"namespace"`
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

func userOf(u *naruv1.User) userJSON {
	out := userJSON{Name: u.GetUser(), Tags: append([]string{}, u.GetTags()...), HasPassword: u.GetHasPassword(), Permissions: []permissionJSON{}}
	for _, p := range u.GetPermissions() {
		out.Permissions = append(out.Permissions, permissionJSON{p.GetNamespace(), p.GetConfigure(), p.GetWrite(), p.GetRead()})
	}
	return out
}

// aboutUser puts a server's error into words about one user.
func aboutUser(name string, err error) error {
	var e *connect.Error
	if !errors.As(err, &e) || !connect.IsWireError(err) {
		return err
	}
	switch {
	case e.Code() == connect.CodeNotFound && strings.HasPrefix(e.Message(), "user"):
		return fmt.Errorf("user %q does not exist (`naru user list` shows who does)", name)
	case e.Code() == connect.CodeAlreadyExists:
		return fmt.Errorf("user %q exists already (`naru user passwd` changes the password)", name)
	}
	return fmt.Errorf("user %q: %s", name, e.Message())
}

func (c *api) listUsers(ctx context.Context) (list []userJSON, err error) {
	list = []userJSON{}
	err = c.call(ctx, 0, func(ctx context.Context) error {
		answer, err := c.users.ListUsers(ctx, &naruv1.ListUsersRequest{})
		for _, u := range answer.GetUsers() {
			list = append(list, userOf(u))
		}
		return err
	})
	return list, err
}

// passwordBytesMax bounds what is read for a password; the server takes less.
const passwordBytesMax = 64 << 10

// password is the first line of a file, or of the input.
func (a *app) password(name, file string) (string, error) {
	in := a.in
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("password: %w", err)
		}
		defer f.Close()
		in = f
	} else if a.inTerminal {
		fmt.Fprintf(a.err, "password for %q (it is shown): ", name)
	}
	scan := bufio.NewScanner(io.LimitReader(in, passwordBytesMax))
	scan.Scan()
	if err := scan.Err(); err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	password := strings.TrimSuffix(scan.Text(), "\r")
	if password == "" {
		return "", usageError("the password is empty: write it to the input, or into a file for --password-file")
	}
	return password, nil
}

const passwordHelp = "The password is the first line of standard input, or of --password-file: on the command line others could see it."

func (a *app) userAddCommand() *cobra.Command {
	var file string
	var tags []string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Long: "Add a user. " + passwordHelp + "\n\n" +
			"While there are no users, protocols that ask for a name let everybody in (AMQP). From the first user on, they let in\n" +
			"users only. A user may enter no namespace until `naru user permit` says so.",
		Example: "  naru user add anna --password-file anna.txt && naru user permit anna\n" +
			"  pwgen 30 1 | naru user add monitor --tag monitoring",
		Args: args(cobra.ExactArgs(1)),
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		password, err := a.password(names[0], file)
		if err != nil {
			return err
		}
		err = c.call(ctx, 0, func(ctx context.Context) error {
			_, err := c.users.CreateUser(ctx, &naruv1.CreateUserRequest{User: names[0], Password: password, Tags: tags})
			return err
		})
		if err != nil {
			return aboutUser(names[0], err)
		}
		a.done("added user %q", names[0])
		return nil
	})
	cmd.Flags().StringVar(&file, "password-file", "", "read the password from `FILE`")
	cmd.Flags().StringArrayVar(&tags, "tag", nil, "`TAG` of the user: administrator, monitoring, management, impersonator, or any other; again for more")
	a.apiFlags(cmd)
	return cmd
}

func (a *app) userPasswdCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Change a user's password",
		Long:  "Change a user's password. " + passwordHelp + "\nConnections that are open stay open.",
		Args:  args(cobra.ExactArgs(1)), ValidArgsFunction: a.userArgs,
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		password, err := a.password(names[0], file)
		if err != nil {
			return err
		}
		err = c.call(ctx, 0, func(ctx context.Context) error {
			_, err := c.users.UpdateUser(ctx, &naruv1.UpdateUserRequest{User: names[0], Password: &password})
			return err
		})
		if err != nil {
			return aboutUser(names[0], err)
		}
		a.done("changed the password of user %q", names[0])
		return nil
	})
	cmd.Flags().StringVar(&file, "password-file", "", "read the password from `FILE`")
	a.apiFlags(cmd)
	return cmd
}

func (a *app) userListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"},
		Short: "List users and what they may do",
		Args:  args(cobra.NoArgs),
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, _ []string) error {
		list, err := c.listUsers(ctx)
		if err != nil {
			return err
		}
		return a.show(list, func(w io.Writer) error {
			t := newTable("USER", "TAGS", "NAMESPACE", "CONFIGURE", "WRITE", "READ")
			for _, u := range list {
				name, tags := u.Name, strings.Join(u.Tags, ", ")
				if len(u.Permissions) == 0 {
					t.row(name, tags, "none", "", "", "")
				}
				for _, p := range u.Permissions {
					t.row(name, tags, p.Namespace, p.Configure, p.Write, p.Read)
					name, tags = "", ""
				}
			}
			return t.write(w)
		})
	})
	a.jsonFlag(cmd)
	a.apiFlags(cmd)
	return cmd
}

func (a *app) userPermitCommand() *cobra.Command {
	in := &naruv1.PermitUserRequest{}
	var none bool
	cmd := &cobra.Command{
		Use:   "permit NAME",
		Short: "Say what a user may do in a namespace",
		Long: "Say what a user may do in a namespace (AMQP's virtual host), in place of what held before. Each permission is a\n" +
			"regular expression (RE2) that is looked for in the names of queues and exchanges; an empty one matches none.\n" +
			"Without flags a user may do everything in /. It holds for connections that are open, too.",
		Example: "  naru user permit anna\n" +
			"  naru user permit shop --namespace shop --configure '' --write '^orders$' --read '^(orders|bills)-'\n" +
			"  naru user permit anna --none",
		Args: args(cobra.ExactArgs(1)), ValidArgsFunction: a.userArgs,
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		in.User = names[0]
		err := c.call(ctx, 0, func(ctx context.Context) error {
			var err error
			if none {
				_, err = c.users.ForbidUser(ctx, &naruv1.ForbidUserRequest{User: in.User, Namespace: in.Namespace})
			} else {
				_, err = c.users.PermitUser(ctx, in)
			}
			return err
		})
		if err != nil {
			return aboutUser(names[0], err)
		}
		if none {
			a.done("user %q may not enter namespace %q", in.User, in.Namespace)
		} else {
			a.done("user %q may configure %q, write %q and read %q in namespace %q", in.User, in.Configure, in.Write, in.Read, in.Namespace)
		}
		return nil
	})
	fl := cmd.Flags()
	fl.StringVar(&in.Namespace, "namespace", "/", "the `NAMESPACE`")
	fl.StringVar(&in.Configure, "configure", ".*", "`PATTERN` of what the user may make, change and delete")
	fl.StringVar(&in.Write, "write", ".*", "`PATTERN` of what the user may publish and bind to")
	fl.StringVar(&in.Read, "read", ".*", "`PATTERN` of what the user may consume, purge and bind from")
	fl.BoolVar(&none, "none", false, "keep the user out of the namespace")
	a.apiFlags(cmd)
	return cmd
}

func (a *app) userDeleteCommand() *cobra.Command {
	var ifExists bool
	cmd := &cobra.Command{
		Use: "delete NAME...", Aliases: []string{"rm"},
		Short: "Delete users and close their connections",
		Long:  "Delete users and close their connections. After the last one, everybody is let in.",
		Args:  args(cobra.MinimumNArgs(1)), ValidArgsFunction: a.userArgs,
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		var problems []error
		for _, name := range names {
			err := c.call(ctx, 0, func(ctx context.Context) error {
				_, err := c.users.DeleteUser(ctx, &naruv1.DeleteUserRequest{User: name})
				return err
			})
			switch {
			case ifExists && isCode(err, connect.CodeNotFound):
				a.done("user %q does not exist", name)
			case err != nil:
				problems = append(problems, aboutUser(name, err))
			default:
				a.done("deleted user %q", name)
			}
		}
		return errors.Join(problems...)
	})
	cmd.Flags().BoolVar(&ifExists, "if-exists", false, "do not fail if a user does not exist")
	a.apiFlags(cmd)
	return cmd
}

// userArgs completes names of users on the command line.
func (a *app) userArgs(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	a.timeout = time.Second
	c, err := a.api()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.close()
	list, err := c.listUsers(context.Background())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, u := range list {
		names = append(names, u.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
